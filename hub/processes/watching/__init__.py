"""How a running hub is watched: what its processes use, its health put together, the port that tells it, traces."""
