"""The head model: from a montage to the space operator, on the built-in template or on the user's own subject."""
