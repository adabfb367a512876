"""Findings about readings: the quality check, the stored findings, and the board's decisions."""
