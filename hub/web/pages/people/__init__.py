"""The board's pages that change members, homes, roles and agents."""
