"""What was recorded in sessions, told: the report of one session, and of a group of them."""
