"""What the pages on money show: runs, statements, bills, credits, payments, objections."""
