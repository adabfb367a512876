"""The local page: what the home measures, what left it, and the household's switches, served by the running agent."""
