"""Hostile files and wrong calls, each in a child process with limits: ``python -m tests.fuzz --help``."""
