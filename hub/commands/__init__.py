"""The commands of `commonwatt-hub`, one module each. Nothing imports them but the command line itself."""
