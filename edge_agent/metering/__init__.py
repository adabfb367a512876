"""From device samples to energy per slot: counters, integrated power, outages, and when a clock can be trusted."""
