"""Findings on readings: the quality check, the stored findings, and the board's decisions."""
