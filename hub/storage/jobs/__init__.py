"""What a store keeps of the hub's jobs, and the queue that hands them to several workers."""
