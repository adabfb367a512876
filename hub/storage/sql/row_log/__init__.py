"""The log of rows as every database keeps it: what is logged, how lines are chained, and rows as they are."""
