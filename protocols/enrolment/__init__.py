"""How an agent becomes known to the hub: the invitation token and the signed request and answer."""
