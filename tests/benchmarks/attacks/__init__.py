"""A running hub under attack: the attackers, each a process of its own that ends by itself, and one honest home."""
