"""The halves of the hub's connection to its broker: the thread at the socket, and what waits to be sent."""
