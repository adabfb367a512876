"""How the agent follows the hub's word to another broker."""
