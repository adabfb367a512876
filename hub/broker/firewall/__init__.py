"""A packet filter for the computer of a hub or its broker, as an nftables ruleset; it writes text and loads nothing."""
