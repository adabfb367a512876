"""A hub's health: what is known of it, what of that needs a hand, and the same as metrics. It gathers nothing."""
