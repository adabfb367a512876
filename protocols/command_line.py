"""The argument parser of all our programs: a wrong argument is answered by one line, not by the whole usage text."""

import argparse
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    """Reports wrong arguments in one line that also names the help, and exits with status 2."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message. Sub-parsers made from this parser do the same."""
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` tells more\n")
