"""Names, salts and seals for the hashes that members see, so that nobody can guess a neighbour's values from them.

The books' own hashes cover several homes' values without a secret. Whoever knows all values but one home's could try
values until a hash matches. Members therefore see none of those hashes, only what a secret key of the hub makes of
them. The caller keeps the key; the same key and input always give the same result.
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from hub.core.ledger.entries import CANONICAL, BookedEntry, Entry

SEAL_TAG: Final = b"commonwatt seal v1\n"
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Seals:
    """What a hub's secret key makes of the books' hashes. Raises: ValueError for a key of another length.

    >>> seals = Seals(bytes(32))
    >>> seals.run("5ba7") == seals.run("5ba7") != seals.run("5ba8")
    True
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key of seals has {KEY_BYTES} bytes, not {len(self.key)}")

    def run(self, run_key: str) -> str:
        """The name under which members know a run. The run's own key depends on every home's readings."""
        return self._seal("run", run_key.encode())

    def record(self, result_hash: str) -> str:
        """The name of a run's result: equal results have equal names."""
        return self._seal("record", result_hash.encode())

    def attested(self, document_hash: str) -> str:
        """The seal of a signed document of the books; an auditor with the key compares it with the document."""
        return self._seal("attestation", document_hash.encode())

    def pool(self, run_key: str) -> str:
        """The salt of a run's complete pool series."""
        return self._seal("pool series", run_key.encode())

    def salt(self, row: BookedEntry) -> bytes:
        """The salt of a ledger entry in the day's tree, told only to the member whose entry it is."""
        return self._digest("entry", row.position.to_bytes(8, "big") + row.canonical)

    def kept(self, place: str, part: bytes) -> bytes:
        """What shows that the hub itself kept this part of a day in this place."""
        return self._digest("kept part", place.encode() + b"\n" + part)

    def shown(self, entry: Entry) -> str:
        """The entry as its member gets it: without the hash of the record, and with the run's name for its key."""
        postings = [[posting.line, posting.account, posting.amount] for posting in entry.postings]
        named = {"unit": entry.unit, "day": entry.day, "run": self.run(entry.run), "member": entry.member}
        return CANONICAL.encode({**named, "postings": postings})

    def _seal(self, kind: str, content: bytes) -> str:
        return self._digest(kind, content).hex()

    def _digest(self, kind: str, content: bytes) -> bytes:
        return hmac.digest(self.key, SEAL_TAG + kind.encode() + b"\n" + content, "sha256")
