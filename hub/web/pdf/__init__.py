"""Statements as PDF, typeset by typst in a child process."""
