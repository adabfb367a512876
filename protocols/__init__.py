"""What crosses a wire, and the arithmetic both sides share. Pure: no I/O, no clock, no randomness."""
