"""Offline calibration: from a study of several people and sounds to the bundle that a live session loads."""
