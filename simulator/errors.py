"""What stops a simulator command: every such error is one line for a person, and derives from one class."""

from typing import ClassVar

from protocols.errors import CommonwattError


class SimulatorProblem(CommonwattError):
    """A command cannot do what was asked. The text is one line: what is wrong, and what to do."""

    exit_status: ClassVar[int] = 2
