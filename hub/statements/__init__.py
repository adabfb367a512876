"""Members' statements, put together from the books."""
