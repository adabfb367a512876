"""Sums of the quarter-hour readings over hours, days and months."""
