"""Prompts to members: planned by a job and delivered, signed, to their homes."""
