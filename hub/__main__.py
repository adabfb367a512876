"""`commonwatt-hub`: reads the command line, calls the command's module, and turns every error into one line."""

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from enum import Enum, auto
from pathlib import Path

from protocols.command_line import OneLineParser, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(given[0] if given else "").parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    command: Callable[[argparse.Namespace], int] = options.command
    return run_command("commonwatt-hub", lambda: command(options))


class _Data(Enum):
    """Whether a command takes the folder of a hub."""

    REQUIRED = auto()
    OPTIONAL = auto()
    NONE = auto()


# name, module, --data, help. Only the module of the command being called is loaded.
_COMMANDS = (
    ("init", "operation.init", _Data.REQUIRED, "make a new hub: its key, its store and hub.toml"),
    ("run", "operation.run", _Data.REQUIRED, "run the hub: broker, intake, timetable and pages"),
    ("invite", "members.invite", _Data.REQUIRED, "add a member with a home and print the token for its agent"),
    (
        "members",
        "members.life",
        _Data.REQUIRED,
        "list members; edit them, their roles and their last day; show the log",
    ),
    ("agents", "members.agents", _Data.REQUIRED, "list the homes' agents; shut one out, such as a stolen Pi"),
    ("board", "members.board", _Data.REQUIRED, "show who is on the board; appoint or remove a member"),
    ("sign-in", "members.sign_in", _Data.REQUIRED, "print a one-time link that signs a member in"),
    ("settle", "settle", _Data.OPTIONAL, "settle a case file, or days of this hub"),
    ("verify", "operation.verify", _Data.OPTIONAL, "check every message, entry and run again"),
    ("mend-sums", "operation.mend_sums", _Data.REQUIRED, "make sums again that are not those of the readings"),
    ("report", "operation.report", _Data.REQUIRED, "report local days: completeness, forecasts, prompts, books"),
    ("runs", "runs", _Data.REQUIRED, "list runs of months, what falls due and which days are marked for it"),
    ("approve", "approve", _Data.REQUIRED, "approve a run of a month as a board member, or publish it"),
    ("bills", "bills", _Data.REQUIRED, "list the bills and credit notes a run of a month brings, or would bring"),
    ("funds", "funds", _Data.REQUIRED, "book a month's fees, a year's surplus or grants from a voted plan"),
    ("trial-balance", "trial_balance", _Data.REQUIRED, "sum every account: the ledger must come to zero"),
    ("ledger", "ledger", _Data.REQUIRED, "write the ledger as beancount text, CSV or JSON"),
    ("statement", "statement", _Data.REQUIRED, "write a member's statement of a month with all that checks it"),
    ("auditor-file", "operation.auditor_file", _Data.REQUIRED, "write all shared numbers of a month for the auditor"),
    ("what-if", "trials.what_if", _Data.REQUIRED, "try a sharing rule on settled days; nothing is booked"),
    ("fairness", "trials.fairness", _Data.REQUIRED, "report what members added to sharing and what they received"),
    ("findings", "findings", _Data.REQUIRED, "list what is wrong with readings"),
    ("rules", "operation.rules", _Data.REQUIRED, "show the rulebook; propose or adopt a new version"),
    ("maps", "homes.maps", _Data.REQUIRED, "check device maps and release them to the homes' agents"),
    ("connections", "operation.connections", _Data.REQUIRED, "list or enter what homes' grid connections carry"),
    ("broker", "operation.broker", _Data.REQUIRED, "try what a home can see of others at the broker"),
    ("authority", "operation.authority", _Data.REQUIRED, "the co-op's certificates: make, show, export, renew"),
    ("account", "account", _Data.REQUIRED, "enter or show a member's bank account and direct-debit mandate"),
    ("payments", "payments", _Data.REQUIRED, "pay out and collect what is due, and book what the bank did"),
    ("bank-file", "bank_file", _Data.NONE, "write a bank file (SEPA) of payouts or collections"),
    ("grid-file", "grid_file", _Data.NONE, "write, read or compare grid operators' files"),
    ("presets", "trials.presets", _Data.NONE, "list the sharing rules of countries, ready to fill in"),
    (
        "mail",
        "operation.mail",
        _Data.REQUIRED,
        "try the mail server; show which mail waits or failed, who wants which",
    ),
    ("privacy-notice", "members.privacy_notice", _Data.REQUIRED, "write what members must be told about their data"),
    ("let-in", "operation.let_in", _Data.REQUIRED, "let in an agent again that was cut off for sending too much"),
    ("backup", "operation.backup", _Data.REQUIRED, "back the whole hub up, sealed; make the key for that"),
    ("restore", "operation.restore", _Data.REQUIRED, "make a hub's folder from a backup; confirm it afterwards"),
    ("db", "server.db", _Data.REQUIRED, "prepare a PostgreSQL server for the store; copy the store there and back"),
    ("roles", "server.roles", _Data.REQUIRED, "write the files with which another machine runs a process of this hub"),
    ("archive", "server.archive", _Data.OPTIONAL, "write signed messages into a file for the safe; check such a file"),
    ("status", "operation.status", _Data.REQUIRED, "show the state of the hub"),
)
_NEEDS_CLOCK_ALONE = ("bank-file",)


def _parser(called: str) -> argparse.ArgumentParser:
    """The parser of the command being called, with its own options; of all commands where none of them is called."""
    parser: argparse.ArgumentParser = OneLineParser(prog="commonwatt-hub", description="The hub of an energy co-op.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    asked = [each for each in _COMMANDS if each[0] == called] or _COMMANDS
    for name, module_name, data, words in asked:
        command = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        if data is not _Data.NONE:
            is_required = data is _Data.REQUIRED
            command.add_argument("--data", type=Path, required=is_required, metavar="DIR", help="the hub's data folder")
        if data is not _Data.NONE or name in _NEEDS_CLOCK_ALONE:
            command.add_argument(
                "--clock", type=Path, metavar="FILE", help="for developers: live by this timeline file"
            )
        if name == called:
            module = importlib.import_module(f"hub.commands.{module_name}")
            module.add_arguments(command)
            command.set_defaults(command=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
