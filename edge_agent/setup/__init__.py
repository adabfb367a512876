"""How a home becomes known to its co-op: the invitation, the hub's site, and enrolment."""
