"""Prompts to members: a job plans them, and they are signed and sent to the homes."""
