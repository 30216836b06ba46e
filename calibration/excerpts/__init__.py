"""One value an excerpt: short excerpts that were rated as a whole, predicted from their sound and their picture."""
