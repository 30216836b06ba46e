"""A plan becomes a running session."""
