"""The commands of `commonwatt-sim`."""
