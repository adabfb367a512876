"""The store's slices: statements and what they mean, the same for every database that speaks SQL."""
