"""What crosses the wire, and the arithmetic that both sides share. Pure: no I/O, no clock, no randomness."""
