"""Homes with several agents: which of them brings what, and what their consents allow together."""
