"""What the agent knows of a device beyond its map: where its points are, and what it refuses; kept over restarts."""
