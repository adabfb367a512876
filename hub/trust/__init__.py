"""Decides who may join: turns invitations into enrolled agents."""
