"""Whether the clock can be trusted: what bounds it, who sets it, and a change of it while the agent runs."""
