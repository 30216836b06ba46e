"""The windows of the sound check and of the light check."""
