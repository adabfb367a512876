"""Statements as PDF, set by typst in a child process."""
