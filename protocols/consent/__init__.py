"""A home's consent: its rules as data and as text, the purposes, and the reduction of readings to what they allow."""
