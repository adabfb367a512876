"""The argument parser of all our programs: a wrong argument gets a one-line answer, not the whole usage text."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Reports wrong arguments in one line that also names the help, and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit. Sub-parsers made from this parser do the same."""
        self.exit(2, f"{self.prog}: {message}; see `{self.prog} --help`\n")
