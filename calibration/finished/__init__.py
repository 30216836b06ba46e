"""What becomes of finished sessions: reports, and BIDS datasets."""
