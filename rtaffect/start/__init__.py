"""A session's plan from a person's choices, checked before it starts."""
