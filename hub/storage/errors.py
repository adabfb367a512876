"""The errors a store raises, each with one line for a person. A mistake in our own SQL stays a database error."""

from protocols.errors import CommonwattError


class StoreError(CommonwattError):
    """The store could not do what was asked, and nothing was written: disk full, locked, newer schema, no file."""


class StoreConflictError(StoreError):
    """The new rows contradict what is already stored; nothing was written."""


class StaleInputsError(StoreConflictError):
    """The day was settled from newer inputs in the meantime; read the inputs again and start over."""
