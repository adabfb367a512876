"""A backlog taken into PostgreSQL by several workers, and beside it the least that such work can be."""
