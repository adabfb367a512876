"""The hub's own jobs, as every database keeps them."""
