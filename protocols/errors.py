"""The family of errors that a person reads: one line that says what is wrong and what to do, and an exit status.

Every exception of ours that may reach a command line derives from CommonwattError, so that a program's main() catches
one name. Broken invariants stay ordinary Python errors: they are faults of the program, not of what it was given.
"""

from typing import ClassVar


class CommonwattError(Exception):
    """Something went wrong that a person can act on; the text is one line."""

    exit_status: ClassVar[int] = 1
    """What a command ends with when this error reaches its main()."""


class InputError(CommonwattError, ValueError):
    """Something handed in (a file, an argument, a message) does not have the expected form; nothing was done."""


class RequestError(CommonwattError):
    """What was asked for cannot be done as things are; nothing was written."""


class SettingsError(InputError):
    """A settings file cannot be used; the line names the file, the key and what was expected."""


class ClockFileError(InputError):
    """A timeline file that a program should follow cannot be used."""


class IdentityError(CommonwattError):
    """A program's own key, or what it was told at enrolment, cannot be used; the line says what to do."""
