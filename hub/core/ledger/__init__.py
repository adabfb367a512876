"""The double-entry ledger and the signed records about it: entries, months, approvals, funds, objections."""
