"""Findings on readings: looked for, kept, and decided by the board."""
