"""The backlog of many homes, signed beforehand into a file for each worker, in the order in which it would arrive.

A home is its number: keys, names and values follow from it, so that whoever reads a file needs nothing else.
"""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.homes.measure_sources import meter_of
from protocols.consent.purposes import Resolution
from protocols.consent.rules import ConsentRule, ConsentSet, contract_rule, encode_consent, sort_rules
from protocols.quantities import Gap, Mark, Measure
from protocols.wire.readings import Column
from protocols.wire.topics import shard_of
from tests.hub.sending_home import FIRST_SLOT, SendingHome

WINDOW: Final = 20
"""How many batches a home has on the way without a receipt."""

MEASURES: Final = (
    *(Measure.GRID_IMPORT, Measure.GRID_EXPORT, Measure.PV_PRODUCTION),
    *(Measure.BATTERY_CHARGE, Measure.BATTERY_DISCHARGE),
)
METERS: Final = tuple(sorted({meter_of(measure) for measure in MEASURES}))
_HEAD: Final = Struct(">IIH")
"""The home's number, the batch's number and the length of the sealed batch that follows."""

DSN: Final = "BACKLOG_DSN"
"""Where workers are told the server's address with its password: no other user can read a process's environment."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """So many homes were away for so many quarter hours; so many workers share them by their shards."""

    homes: int
    each: int
    workers: int

    @property
    def batches(self) -> int:
        """All of them."""
        return self.homes * self.each

    def numbers(self, worker: int) -> list[int]:
        """The homes of one worker."""
        return [n for n in range(self.homes) if shard_of(street_home(n).agent) % self.workers == worker]


def street_home(number: int) -> SendingHome:
    """The same home for the same number, in every process."""
    key = Ed25519PrivateKey.from_private_bytes((number + 1).to_bytes(4) * 8)
    return SendingHome(f"h{number:05d}", key, consent_version=2)


def consent_of(home: SendingHome) -> bytes:
    """What the home shares: everything of MEASURES, as it did before it was away."""
    rule = ConsentRule("forecast.hood", MEASURES, Resolution.PT15M, 0, None)
    return encode_consent(ConsentSet(home.home, home.consent_version, sort_rules([contract_rule(), rule])))


async def sign_all(backlog: Backlog, folder: Path) -> list[Path]:
    """A file for each worker, written by a process for each. Raises: AssertionError if one of them failed."""
    files = [folder / f"signed-{worker}" for worker in range(backlog.workers)]
    signing = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.postgres_backlog.signed", str(file)),
            *(str(each) for each in (backlog.homes, backlog.each, backlog.workers, worker)),
        )
        for worker, file in enumerate(files)
    ]
    assert [await each.wait() for each in signing] == [0] * backlog.workers
    return files


def signed(file: Path) -> Iterator[tuple[int, int, bytes]]:
    """(number of the home, number of the batch, sealed) as they arrive; little of the file is in memory at a time."""
    with file.open("rb", buffering=2**16) as stream:
        while head := stream.read(_HEAD.size):
            number, seq, length = _HEAD.unpack(head)
            yield number, seq, stream.read(length)


def _sign(file: Path, backlog: Backlog, worker: int) -> None:
    """Each home sends as much as it may have on the way, and the rest when all have done so."""
    homes = [(number, street_home(number)) for number in backlog.numbers(worker)]
    with file.open("wb", buffering=2**20) as stream:
        for first in range(0, backlog.each, WINDOW):
            for number, home in homes:
                for n in range(first, min(first + WINDOW, backlog.each)):
                    columns = [
                        Column(m, 1, (number * 31 + n * 7 + m) % 900, 0, Mark.MEASURED, Gap.NONE) for m in MEASURES
                    ]
                    _, sealed = home.batch(FIRST_SLOT + n, columns=columns)
                    stream.write(_HEAD.pack(number, n + 1, len(sealed)) + sealed)


if __name__ == "__main__":
    _file, *_counts, _worker = sys.argv[1:]
    _sign(Path(_file), Backlog(*(int(each) for each in _counts)), int(_worker))
