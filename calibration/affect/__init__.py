"""Affect offline: from a rated study to valence and arousal out of EEG and sound."""
