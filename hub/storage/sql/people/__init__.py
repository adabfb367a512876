"""Changes to members, homes, roles and agents by named people, and the log of them."""
