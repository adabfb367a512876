"""The pages' routes, one module a subject."""
