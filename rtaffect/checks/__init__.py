"""Checks before a session: how loud and how late its sound is, and how late its screen."""
