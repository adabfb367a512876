"""`commonwatt-hub bank-file`: a payment order in, the bank's XML out. This reads and writes files; hub.core checks."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from hub.console.output_files import read_file, write_new
from hub.core.payments.order_document import read_order
from hub.core.payments.sepa import BankFileError, PayoutOrder
from hub.core.rules.input_checks import RejectedInputError
from hub.core.settlement.case_file import parse_case
from hub.folder.clock import open_clock
from protocols.errors import RequestError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments, besides --clock."""
    parser.add_argument(
        "order", type=Path, metavar="ORDER", help="a JSON file: kind, message_id, date, account, payments"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the XML to write; must not be there yet"
    )


def run(args: argparse.Namespace) -> int:
    """Write the file for the bank, whole or not at all. Raises: RequestError with a one-line message."""
    try:
        from hub.exchange.bank_files import collection_file, payout_file  # noqa: PLC0415 - an optional package
    except ImportError:
        raise RequestError("bank-file needs the package sepaxml: install commonwatt with the extra 'sepa'") from None
    now = datetime.fromtimestamp(int(open_clock(args.clock).now()), UTC)
    try:
        order = read_order(parse_case(read_file(args.order)), now=now)
        content = payout_file(order) if isinstance(order, PayoutOrder) else collection_file(order)
    except RejectedInputError as refusal:
        raise RequestError(f"bank-file: {args.order}: {refusal.detail}") from None
    except BankFileError as refusal:
        raise RequestError(f"bank-file: {args.order}: {refusal}") from None
    write_new(args.out, content)  # it holds account numbers: only its owner may read it
    count = len(order.payouts) if isinstance(order, PayoutOrder) else len(order.collections)
    kind = "payouts" if isinstance(order, PayoutOrder) else "collections"
    total = f"{order.total_cent // 100}.{order.total_cent % 100:02d} EUR"
    sys.stdout.write(f"{args.out}: {count} {kind}, {total} in all\n")
    return 0
