"""Tries a broker as a member, a revoked agent and strangers would; `commonwatt-hub broker check` reports it."""
