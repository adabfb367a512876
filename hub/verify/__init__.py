"""Verification: stored messages, the journal and the books checked again; changes nothing."""
