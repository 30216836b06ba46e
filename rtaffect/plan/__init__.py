"""What was asked for, on paper and on disk."""
