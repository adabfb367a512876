"""Whom to ask to move which appliance, what that is worth, and what it achieved."""
