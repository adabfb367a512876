"""Another program at home goes on reading a device that serves one client, through the agent's own connection."""
