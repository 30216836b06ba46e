"""From sound to predicted synchrony; knows no EEG."""
