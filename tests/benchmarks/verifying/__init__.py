"""What the benchmark of `verify` fills and measures."""
