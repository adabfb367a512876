"""What crosses the wire between home and hub: envelope, topics, batches, receipts, and the exact bytes of each."""
