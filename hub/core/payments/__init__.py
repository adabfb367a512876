"""Bills, taxes, what is due, payment orders and the SEPA rules, as pure functions."""
