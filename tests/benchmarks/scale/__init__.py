"""What a region of homes costs: measured work per message, a simulation of how homes come, and machines and euros."""
