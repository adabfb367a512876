"""Where homes elsewhere reach the hub, as its settings have it."""
