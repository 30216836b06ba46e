"""Starts rtaffect from a checkout: ``python launch.py demo``. The console script ``rtaffect`` does the same."""

from rtaffect.cli import main

if __name__ == "__main__":
    main()
