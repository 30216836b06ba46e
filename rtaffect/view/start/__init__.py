"""The window in which a session is put together."""
