"""The rulebook: methods, prices, estimates and country presets."""
