"""The hub's own keys in its data folder: what it signs with, who vouches for that, and its salt key."""
