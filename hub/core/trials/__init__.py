"""Rules tried on past readings: what-if, the rules on offer, and the fairness report."""
