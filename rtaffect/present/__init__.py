"""What screens show, resolved by pure functions, without Qt."""
