"""The commands of `commonwatt-hub`, one module each. Only the command line itself imports them."""
