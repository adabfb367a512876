"""What every request meets before a page answers it."""
