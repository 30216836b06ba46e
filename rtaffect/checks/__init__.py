"""Checks before a session: whether electrodes touch, how loud and how late its sound is, and how late its screen."""
