"""The rulebook: methods, prices, estimates, and the presets of countries."""
