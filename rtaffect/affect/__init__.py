"""Affect: valence and arousal from a person's EEG and from the sound, in one space."""
