"""The stand-alone script's first part: a statement's files as they must look, and whether the hub signed them.

hub/statements/script.py joins it with statement_days.py, statement_bills.py and statement.py to the one file that
members run; so it imports nothing of the hub.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SIGNED = b"commonwatt signed document v1\n"
CERTIFIED = b"commonwatt/3 hub key\0"
BROKEN = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)
Table = dict[Any, Any]
# The fields of each table, by the name of the table; ? is before those that may be missing, * stands for any names.
FIELDS = """
statement.json: document signature ?certificate ?payment
document: format coop member month made_at state billed days_before missing_days rules rulebook days totals money
+ rounding tax changes ?correction
correction: days totals money
coop: id name tz currency
member: id name
rules: *
rulebook: rule valid_from adopted_on by
days: day run rule window first_slot step surplus demand received sold provisional marks findings totals money entries
+ root
run: key kind state
findings: number code first_slot slots decision
decision: number verdict
totals: surplus demand received sold imported exported
money: debit_nano credit_nano benefit_nano alone_nano cost_nano ?debit_micro ?debit_cent ?credit_micro ?credit_cent
entries: place entry salt proof
entry: unit day run member postings
root: document signature ?certificate
root document: format coop day entries root attested pool
pool: members auditor
rounding: micro cent
micro: debit credit
cent: debit credit
changes: since month days
month: *
changes days: *
tax: kind number date issuer tax_number words lines taxes net_cent tax_cent gross_cent replaces due_cent
lines: name net_cent rate_ppm reverse_charge days ?part
taxes: rate_ppm reverse_charge net_cent tax_cent
replaces: number date gross_cent
payment: document signature ?certificate
payment document: format statement member month waiting bills due_cent waiting_cent now_cent ?meter
waiting: day line until
bills: number side due_cent waiting_cent now_cent
readings.json: member readings
pool.json: days ?earlier
earlier: format for coop day run rule slots ?salt
pool.json days: format for coop day run rule slots ?salt
slots: slot homes ?withheld ?demand ?buy ?sell ?producers
producers: *
rule: method params aggregate participation_percent missing prices ?connection_w ?estimate ?part_month_fee ?netting
+ ?derived ?netting_of
netting_of: *
derived: within_wh within_percent
params: *
participation_percent: *
prices: buy sell retail feedin
estimate: method longest weeks least
"""
NAMES = dict(line.split(": ") for line in FIELDS.replace("\n+", "").strip().split("\n"))


class StatementCheckError(Exception):
    """One line naming a place in the statement and what is wrong there."""


def require(holds: object, place: str, what: str) -> None:
    if not holds:
        raise StatementCheckError(f"{place}: {what}")


def same(stated: object, found: object, place: str) -> None:
    """Check that the stated number equals the recomputed one and is a whole number too."""
    if type(stated) is type(found) is int and stated == found:  # most are, and this is fast
        return
    if canonical(stated) != canonical(found):
        what = f"{json.dumps(stated)[:80]} is stated, {json.dumps(found)[:80]} is right"
        raise StatementCheckError(f"{place}: {what}")


def check_fields(part: Any, name: str, above: str = "") -> None:
    """Check that no table has an unknown field or lacks one."""
    if isinstance(part, list):
        for each in part:
            check_fields(each, name, above)
    if isinstance(part, dict):
        fields = (NAMES.get(f"{above} {name}") or NAMES.get(name) or "").split()
        unknown = {*part} - {field.lstrip("?") for field in fields} if "*" not in fields else set()
        missing = {field for field in fields if field[0] not in "?*"} - {*part}
        require(not unknown, name, f"unknown field {min(unknown, default='')[:40]}")
        require(not missing, name, f"malformed: {min(missing, default='')} is missing")
        for field, each in part.items():
            if "*" not in fields:
                check_fields(each, field, name)


def read_json(text: str | bytes) -> Any:
    """JSON without decimal fractions and without a name that occurs twice. Raises: ValueError."""

    def once(pairs: list[tuple[str, Any]]) -> Table:
        if len(table := dict(pairs)) < len(pairs):
            raise ValueError(f"a name occurs twice in {{{', '.join(name for name, _ in pairs)[:60]}}}")
        return table

    def refuse(number: str) -> None:
        raise ValueError(f"{number[:40]} is not a whole number")

    return json.loads(text, object_pairs_hook=once, parse_float=refuse, parse_constant=refuse)


def canonical(document: object) -> bytes:
    """The document as the bytes that hashes and signatures cover."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def hash_of(document: object) -> str:
    return hashlib.sha256(canonical(document)).hexdigest()


class SignedFiles:
    """A statement, and the co-op's lasting key as the member knows it. It vouches for the hub keys that sign."""

    def __init__(self, document: Table, key: Ed25519PublicKey) -> None:
        self.document, self.coop, self.key = document, document["coop"], key
        self.numbers: Table = {}

    def check_signature(self, signed: Table, place: str) -> None:
        """Check the signature over the document: by the co-op's key, or by a hub key that it certified."""
        try:
            key, made_at = self.key, signed["document"].get("made_at", self.document["made_at"])
            if signed.get("certificate") is not None:
                key = self.certified(signed["certificate"], made_at, place)
            key.verify(bytes.fromhex(signed["signature"]), SIGNED + canonical(signed["document"]))
        except (InvalidSignature, *BROKEN):
            raise StatementCheckError(f"{place}: not signed by the hub's key, or changed since") from None

    def certified(self, text: str, made_at: str, place: str) -> Ed25519PublicKey:
        """The hub key in this certificate, if it is for this co-op and time, and no other key has its number."""
        try:
            given = read_json(text)
            said, signature = given["document"], given["signature"]
            self.key.verify(bytes.fromhex(signature), CERTIFIED + canonical(said))
            is_whole = text.encode() == canonical({"document": said, "signature": signature})
        except (InvalidSignature, *BROKEN):
            is_whole = False
        require(is_whole, place, "the certificate of its hub key is not signed by the key given with --hub-key")
        same(said["coop"], self.coop["id"], f"{place} certificate's co-op")
        number, raw = said["number"], said["public_key"]
        ends = datetime.fromtimestamp(said["valid_until"], UTC).strftime("%Y-%m-%dT%H:%MZ")
        require(made_at <= ends, place, f"it is of {made_at}, and the certificate of hub key {number} ended at {ends}")
        require(self.numbers.setdefault(number, raw) == raw, place, f"there are two keys with the number {number}")
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(raw))
