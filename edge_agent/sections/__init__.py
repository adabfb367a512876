"""Tables of agent.toml that stand on their own, each read by its module; `settings` puts them together."""
