"""People who are not there."""
