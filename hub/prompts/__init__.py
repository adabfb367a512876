"""Prompts to members: a job plans them, and they are sent to the homes, signed."""
