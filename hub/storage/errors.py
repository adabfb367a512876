"""The errors a store raises, each with one line for a person. A mistake in our own SQL stays a database error."""

from protocols.errors import CommonwattError


class StoreError(CommonwattError):
    """The store could not do what was asked, and nothing was written: disk full, locked, newer schema, no file.

    `is_said` says that the log has it already.
    """

    is_said = False


class StoreAwayError(StoreError):
    """The store's server cannot be reached, or takes no writes. The store itself logs when that begins and ends."""

    is_said = True


class StoreRefusedError(StoreError):
    """The store is there and does not let the hub in, or not to its tables; a server's is logged like an outage.

    `shows_no_table` says that the server shows no such table: it is gone, or its schema may not be entered any more.
    """

    is_said = True
    shows_no_table = False


class StoreFullError(StoreError):
    """The store's server has no room for more rows; logged like an outage."""

    is_said = True


class StoreVersionError(StoreError):
    """The store is of another version of this program, newer or not yet brought up to date: nobody reads its rows."""


class StoreLockedError(StoreError):
    """Another program holds the store's file locked for longer than the store waits: nothing is said of its rows."""


class StoreConflictError(StoreError):
    """The new rows contradict what is already stored; nothing was written."""


class LostJobError(StoreError):
    """Another worker has been given the job that this write belongs to; nothing was written."""


class StaleInputsError(StoreConflictError):
    """The day was settled from newer inputs in the meantime; read the inputs again and start over."""


class ConstraintError(Exception):
    """The schema refuses a row: a key that is taken, a row it refers to that is not there, or one that is kept.

    `is_taken` says that another row has the key. Raised inside a piece of work, whose changes it undoes.
    """

    def __init__(self, says: str, *, is_taken: bool) -> None:
        super().__init__(says)
        self.is_taken = is_taken


class LeaseLostError(StoreError):
    """Another process has taken over what this one did; nothing was written. `names` are the leases it lost."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__("another process of the hub has taken this work over")
        self.names = names


class HomesChangedError(StoreError):
    """What was assumed of these homes when their messages were judged does not hold any more; nothing was written."""

    def __init__(self, homes: frozenset[str]) -> None:
        super().__init__("another agent of a home has changed what its messages were judged by")
        self.homes = homes
