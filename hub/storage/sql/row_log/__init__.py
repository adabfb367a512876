"""The log of rows as every database keeps it: what is logged, how lines are chained, and the rows as they are stored."""
