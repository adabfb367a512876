"""The pure core of the hub: numbers in, numbers out; no clock, no randomness, no sockets, no files."""
