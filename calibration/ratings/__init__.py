"""Ratings in place of synchrony: how far raters agree, and how well a sound predicts what they said."""
