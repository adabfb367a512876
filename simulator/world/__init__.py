"""The simulated neighbourhood as pure functions of a seed: site, weather, homes, loads, physics."""
