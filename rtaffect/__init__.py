"""rtaffect: predicted and observed inter-subject EEG synchrony, live, once a second."""

__version__ = "0.1.0"
