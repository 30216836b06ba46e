"""Where in a known stimulus the session is."""
