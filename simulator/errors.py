"""What stops a simulator command: every such error is one line for a person, and derives from one class."""

from typing import ClassVar

from protocols.errors import CommonwattError


class SimulatorError(CommonwattError):
    """A command cannot do what was asked. The text is one line: what is wrong, and what to do."""

    exit_status: ClassVar[int] = 2


class DemoError(CommonwattError):
    """The demonstration cannot go on; one line says why, and which program ended with which last words."""
