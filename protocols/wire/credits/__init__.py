"""What the hub tells a home of its own settled days."""
