"""What the pages about money show: runs, statements, bills, credits, payments, objections."""
