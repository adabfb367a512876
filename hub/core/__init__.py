"""The pure core of the hub: numbers in, numbers out; no clock, no chance, no socket, no file."""
