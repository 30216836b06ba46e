"""Reports of finished sessions, and of groups of them."""
