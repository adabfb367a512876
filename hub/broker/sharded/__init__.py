"""Several brokers of one co-op, each for some shards of its homes."""
