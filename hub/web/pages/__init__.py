"""The pages' routes, one module for each subject."""
