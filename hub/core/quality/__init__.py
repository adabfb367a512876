"""Checks of readings: one home's own series, its neighbours', and what settlement may use."""
