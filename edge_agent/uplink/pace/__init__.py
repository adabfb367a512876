"""When the agent comes back after an outage and when it sends, so that many homes do not do it at the same moment."""
