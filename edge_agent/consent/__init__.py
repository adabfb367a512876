"""The household's consent in the running agent and in words; its rules are in `protocols.consent`."""
