"""From EEG to observed synchrony; knows no sound."""
