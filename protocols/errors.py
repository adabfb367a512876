"""The errors that people read: each has one line that says what is wrong and what to do, and an exit status.

Every exception of ours that may reach a command line derives from CommonwattError, so that a program's main() needs to
catch only one class. Broken invariants stay ordinary Python errors: they are faults in the program, not in its input.
"""

from typing import ClassVar


class CommonwattError(Exception):
    """Something went wrong that a person can act on; the message is one line."""

    exit_status: ClassVar[int] = 1
    """The exit status of a command whose main() catches this error."""


class InputError(CommonwattError, ValueError):
    """An input (a file, an argument, a message) does not have the expected form; nothing was done."""


class RequestError(CommonwattError):
    """The request is valid but cannot be carried out now; nothing was written."""


class StoppedError(CommonwattError):
    """The person pressed Ctrl-C while a command worked; the line says what is kept."""

    exit_status: ClassVar[int] = 130


class SettingsError(InputError):
    """A settings file cannot be used; the line names the file, the key and what was expected."""


class ClockFileError(InputError):
    """A timeline file that a program should follow cannot be used."""


class IdentityError(CommonwattError):
    """A program's own key, or the response it got when enrolling, cannot be used; the line says what to do."""
