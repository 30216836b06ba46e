"""Samples with their times, between a source and its reader."""
