"""Shared by long commands: progress lines on standard error, and files written for a person."""
