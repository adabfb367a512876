"""Bills, taxes, amounts due, payment orders and the SEPA rules, as pure functions."""
