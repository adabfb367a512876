"""What every backend is made of: numbered steps of its schema, and a queue of writes for the next commit."""
