"""One turn a second: samples in, one frozen Feedback out."""
