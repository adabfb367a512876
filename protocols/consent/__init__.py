"""A home's consent: its rules as data and as text, the purposes, and how readings are reduced to match."""
