"""Single changes that the hub itself signs again: the script notices all but those that the docs list."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from hub.core.ledger.signed_document import document_hash, sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.payments.tax_terms import TaxRates, TaxTerms
from hub.core.statements.document import state_month
from hub.verify.statement import UncheckedError, verify
from hub.verify.statement_files import BROKEN, StatementCheckError
from tests.house.source_tree import ROOT
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    Street,
    bills_of,
    make_readings,
    make_rule,
    make_street,
    street_members,
)

DAYS = ("2026-03-30", "2026-03-31")
TERMS = TaxTerms(
    ("Sunny Street eG",),
    (TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-03-31", 190_000, 130_000, 100_000)),
    (),
    {"self_billing": "Self-billing"},
)
STEP = 4
Place = tuple[Any, ...]


class Files:
    """The files of member a's corrected month, with the statement before; and the same after one change."""

    def __init__(self) -> None:
        members, late = street_members(12), 900_000_000
        first = self._street("M1", seed=7, fee_nano=late)
        street = self._street("R1", seed=8, fee_nano=late)
        issued = bills_of(first, "a", TERMS)
        before = self._state(first, bills=issued)
        billed = {"a": {bill["lines"][0]["name"]: bill for bill in issued}}
        bills = bills_of(street, "a", TERMS, series="2026-03-R1", standing=billed)
        statement = self._state(street, bills=bills, last=before)
        waiting = [("2026-03-30", "received", 1_777_000_000), ("", "credit", 1_777_000_000)]
        payment = payable_amounts(statement, waiting)
        self.signed = {**signed(statement), "payment": signed(payment)}
        self.own, self.pool, self.before = street.own("a"), street.pool(), signed(before)
        assert "a" in members

    @staticmethod
    def _street(kind: str, *, seed: int, fee_nano: int) -> Street:
        members = street_members(12)
        readings = {day: make_readings(members, day, seed=seed + n, gaps=0.02) for n, day in enumerate(DAYS)}
        return make_street(
            readings, make_rule("proportional", members, seed=2, aggregate=STEP), kind=kind, fee_nano=fee_nano
        )

    @staticmethod
    def _state(street: Street, **more: Any) -> Any:
        return copy.deepcopy(state_month(street.month, "a", name="Ann", made_at="2026-04-08T08:00Z", **more))

    @property
    def whole(self) -> dict[str, Any]:
        """What can be changed and signed again, by the name of its file."""
        return {"statement": self.signed["document"], "payment": self.signed["payment"]["document"], "pool": self.pool}

    def changed(self, place: Place, *, by: int = 1) -> "Files":
        """These files with the value at this place changed, numbers by so much, and everything signed again."""
        files = copy.copy(self)
        files.signed, files.pool = copy.deepcopy(self.signed), copy.deepcopy(self.pool)
        change(files.whole, place, by=by)
        statement = files.signed["document"]
        for day, pool in zip(statement["days"], files.pool["days"], strict=True):
            root = day["root"]["document"]
            if place[0] == "pool":
                root["pool"]["members"] = document_hash(pool)
            day["root"] = signed(root)
        payment = files.signed["payment"]["document"]
        if place[0] != "payment":
            payment["statement"] = document_hash(statement)
        files.signed = {**signed(statement), "payment": signed(payment)}
        return files

    def is_right(self) -> bool:
        """Whether the script takes them as right."""
        try:
            verify([self.signed, self.own, self.pool], HUB_KEY.public_key(), before=self.before, own=self.own)
        except (StatementCheckError, UncheckedError, *BROKEN):
            return False
        return True


def signed(document: Any) -> Any:
    return sign_document(document, HUB_KEY)


def change(part: Any, place: Place, *, by: int) -> None:
    for step in place[:-1]:
        part = part[step]
    value = part[place[-1]]
    if isinstance(value, bool):
        part[place[-1]] = not value
    elif isinstance(value, int):
        part[place[-1]] = value + by
    elif isinstance(value, str):
        at = len(value.rstrip("Z")) - 1
        part[place[-1]] = value[: max(at, 0)] + ("0" if value[at : at + 1] != "0" else "1") + value[at + 1 :]
    else:
        part[place[-1]] = 1


def value_at(part: Any, place: Place) -> Any:
    for step in place:
        part = part[step]
    return part


def places(part: Any, place: Place = ()) -> Iterator[Place]:
    """Every place that holds a plain value; signatures are made again anyway."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(value, dict | list):
            yield from places(value, (*place, name))
        elif name != "signature":
            yield (*place, name)


def pattern(place: Place) -> str:
    """The place as the docs write it: without the numbers and dates that only say which one."""
    words = ("[]" if isinstance(step, int) or re.match(r"[0-9a-f]{64}|\d{4}-", step) else f".{step}" for step in place)
    return "".join(words).lstrip(".")


def listed() -> set[str]:
    """The places that docs/statements.md lists as unnoticed."""
    text = (ROOT / "docs" / "statements.md").read_text(encoding="utf-8")
    table = text.partition("| changed and signed again, unnoticed | why |\n")[2].partition("\n\n")[0]
    return {name for line in table.splitlines() for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


@pytest.fixture(scope="module")
def files() -> Files:
    return Files()


@pytest.fixture(scope="module")
def everywhere(files: Files) -> dict[str, list[Place]]:
    """All places by their pattern."""
    found: dict[str, list[Place]] = {}
    for place in places(files.whole):
        found.setdefault(pattern(place), []).append(place)
    return found


def test_only_listed_fields_can_be_changed_unnoticed(files: Files, everywhere: dict[str, list[Place]]) -> None:
    assert files.is_right()
    rng = np.random.default_rng(6)
    unnoticed, whole = set(), files.whole
    for name, where in everywhere.items():
        tried = [(where[i], by) for i, by in zip(rng.choice(len(where), 3), (1, STEP, STEP), strict=True)]
        # Only a number changes by something; any other value changes in one way, and that is tried once.
        ways = {(place, by if type(value_at(whole, place)) is int else 0) for place, by in tried}
        if any(files.changed(place, by=by).is_right() for place, by in sorted(ways, key=str)):
            unnoticed.add(name)
    assert unnoticed == listed()


@pytest.mark.campaign
def test_five_hundred_single_changes_are_noticed_but_for_the_list(
    files: Files, everywhere: dict[str, list[Place]]
) -> None:
    rng = np.random.default_rng(6)
    every = [place for where in everywhere.values() for place in where]
    chosen = [every[i] for i in rng.choice(len(every), 500, replace=False)]
    missed = {pattern(place) for place in chosen if files.changed(place).is_right()}
    assert missed <= listed()
