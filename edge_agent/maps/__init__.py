"""Device maps as files: the installed ones, a household's own, and what is said of them. Opens no connection."""
