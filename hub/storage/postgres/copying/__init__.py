"""Copies a whole store from a file to a server and back, row by row, and compares both sides by hashes."""
