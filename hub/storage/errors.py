"""How a store says no: errors with one line for a person. A fault in our own SQL stays a database error."""

from protocols.errors import CommonwattError


class StoreError(CommonwattError):
    """The store could not do what was asked, and nothing of it was kept: disk full, locked, newer schema, no file."""


class StoreConflictError(StoreError):
    """What was handed over contradicts what is already kept; nothing of it was written."""


class StaleInputsError(StoreConflictError):
    """The day was settled meanwhile from newer inputs; read it again and start over."""
