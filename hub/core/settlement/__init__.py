"""One period settled: accepted readings and a rule in; energy, money and a hash out."""
