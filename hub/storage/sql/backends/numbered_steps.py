"""The numbered steps of a schema that come with this program, and whether a store has had them and no others."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from hub.storage.errors import StoreError, StoreVersionError

Applied = Sequence[tuple[int, str, str]]
"""(number, name, checksum) of each step that a store has had, in order."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the step's text in hexadecimal."""
        return hashlib.sha256(self.sql.encode("utf-8")).hexdigest()


def steps_in(package: str) -> tuple[Migration, ...]:
    """The steps in this package's folder `migrations`, in order, numbered from 1 without gaps."""
    folder = resources.files(package) / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    steps = tuple(
        Migration(int(name.split("_", 1)[0]), name, (folder / name).read_text(encoding="utf-8")) for name in names
    )
    if [step.number for step in steps] != list(range(1, len(steps) + 1)):
        raise StoreError(f"the installed migrations are incomplete: {', '.join(names)}; install the program again")
    return steps


def check_applied(applied: Applied, wanted: Sequence[Migration], place: str) -> None:
    """Raises: StoreVersionError if a newer program wrote the store; StoreError if a step was changed since."""
    if len(applied) > len(wanted):
        raise StoreVersionError(
            f"{place} was written by a newer version of this program (schema {len(applied)}, this one knows "
            f"{len(wanted)}): install that version or restore an older copy"
        )
    for (number, name, checksum), step in zip(applied, wanted, strict=False):
        if (number, checksum) != (step.number, step.checksum):
            raise StoreError(f"{place}: schema step {name} differs from {step.name} of this program")
