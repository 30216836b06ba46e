"""What happens in a session, and when."""
