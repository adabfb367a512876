"""What crosses a wire, and the arithmetic both sides share. Pure: no input or output, no clock, no randomness."""
