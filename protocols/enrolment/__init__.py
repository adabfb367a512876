"""How an agent becomes known to the hub: the invitation token the signed request and the response."""
