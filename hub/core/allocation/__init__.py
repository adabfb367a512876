"""Surplus shared between neighbours: the nine methods, exact to the last watt-hour."""
