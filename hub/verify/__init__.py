"""Verification: checks stored messages, the journal and the books again; changes nothing."""
