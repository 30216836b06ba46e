"""Studies on disk: where their files lie, how recordings and tables are read, and what is wrong with them."""
