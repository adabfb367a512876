"""Checks of readings: a home's own series, comparison with its neighbours, and what settlement may use."""
