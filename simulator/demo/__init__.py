"""The demonstration: a whole co-op on one computer, walked through and checked."""
