"""Grid operators' files as data: each country's form, local times, and the comparison with our readings."""
