"""What stops a simulator command: every such error is one line for a person, and derives from one class."""


class SimulatorProblem(Exception):
    """A command cannot do what was asked. The text is one line: what is wrong, and what to do."""
