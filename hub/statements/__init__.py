"""Members' statements, compiled from the books."""
