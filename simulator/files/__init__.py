"""Files of a simulated street: configurations of agents, the street itself, recordings."""
