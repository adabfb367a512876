"""The agent's certificate: its files, what can be wrong with it, and its renewal."""
