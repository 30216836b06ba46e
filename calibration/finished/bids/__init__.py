"""Finished sessions as a BIDS dataset."""
