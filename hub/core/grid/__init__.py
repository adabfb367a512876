"""Grid operators' files as data: each country's format, local times, and the comparison with our readings."""
