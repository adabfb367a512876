"""The co-op's own funds as balanced entries: member fees, the year's surplus by voted shares, refunds and grants.

Each function says what the books should hold for its period and gives the entries that bring them there, so that a
later run after corrections books only the difference. It decides nothing: scales, shares and grants are voted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.entries import Entry, Lines, difference
from hub.core.rules.input_checks import RejectedInputError, one_line, require_integer

PPM: Final = 1_000_000
NANO_PER_MICRO: Final = 1_000
COOP: Final = "coop:"
"""Whose entry it is where it is no member's; no member has such an id."""
MARGIN, FEES, RESERVE = "coop:margin", "coop:fees", "coop:reserve"
SOLIDARITY, PATRONAGE = "coop:solidarity", "coop:patronage"
FEE_LINE, YEAR_LINE, REFUND_LINE, GRANT_LINE = "fee", "year-end", "patronage", "solidarity"

TargetLines = Mapping[str, Lines]
"""What one period should hold, by member: (line, account) with its amount in nano-currency."""


@dataclass(frozen=True, slots=True)
class FeeScale:
    """A sliding scale: what each step pays a month, the usual step, and the members who pay another. Units: nano."""

    steps_nano: Mapping[str, int]
    usual: str
    chosen: Mapping[str, str] = field(default_factory=dict)

    def fee_nano(self, member: str) -> int:
        """What this member pays for a month; 0 is a fee like any other."""
        return self.steps_nano[self.chosen.get(member, self.usual)]


@dataclass(frozen=True, slots=True)
class SurplusShares:
    """How the members' vote splits a year's surplus, in ppm, and what a kWh bought or sold counts for the refund."""

    reserve_ppm: int
    solidarity_ppm: int
    patronage_ppm: int
    buy_weight: int = 1
    sell_weight: int = 1


@dataclass(frozen=True, slots=True)
class YearBooks:
    """A year as it is booked: margin and fees in nano, and the Wh each member bought from and sold to neighbours."""

    margin_nano: int
    fees_nano: int
    bought_wh: Mapping[str, int]
    sold_wh: Mapping[str, int]


def check_scale(scale: FeeScale, members: Sequence[str]) -> None:
    """Refuses steps that are no amounts, a usual step that is none, and members nobody knows."""
    for step, nano in scale.steps_nano.items():
        require_integer(nano, f"steps.{one_line(step)}")
    for where, step in (("usual", scale.usual), *((f"chosen.{one_line(m)}", s) for m, s in scale.chosen.items())):
        if not isinstance(step, str) or step not in scale.steps_nano:
            raise RejectedInputError("malformed", f"{where} names {one_line(step)}, which is no step of the scale")
    _require_members(scale.chosen, members, "chosen")


def check_shares(shares: SurplusShares) -> None:
    """Refuses shares that are no parts of one whole, and weights by which nobody transacts."""
    parts = {"reserve_ppm": shares.reserve_ppm, "solidarity_ppm": shares.solidarity_ppm}
    parts["patronage_ppm"] = shares.patronage_ppm
    for name, ppm in parts.items():
        require_integer(ppm, name)
    if sum(parts.values()) != PPM:
        raise RejectedInputError("malformed", f"{' + '.join(parts)} is {sum(parts.values())}, not {PPM}")
    weights = [require_integer(shares.buy_weight, "buy_weight"), require_integer(shares.sell_weight, "sell_weight")]
    if not any(weights):
        raise RejectedInputError("weights_zero", "buy_weight and sell_weight are both zero")


def target_fees(scale: FeeScale, members: Sequence[str]) -> dict[str, Lines]:
    """A month's fees of its members. Raises: Refusal."""
    check_scale(scale, members)
    wanted = {}
    for member in members:
        fee = scale.fee_nano(member)
        wanted[member] = {(FEE_LINE, f"member:{member}:money"): -fee, (FEE_LINE, FEES): fee}
    return wanted


def target_year_split(year: YearBooks, shares: SurplusShares) -> dict[str, Lines]:
    """The year's surplus split by the vote, and the patronage part refunded by energy transacted, never by capital.

    Where nobody transacted, the patronage part stays in its account.
    Raises: RejectedInputError, also for a year with a loss.
    """
    check_shares(shares)
    pot = year.margin_nano + year.fees_nano
    if year.margin_nano < 0 or year.fees_nano < 0:
        raise RejectedInputError(
            "negative", f"margin {year.margin_nano} and fees {year.fees_nano} leave nothing to share"
        )
    reserve, solidarity, patronage = largest_remainder(
        pot, [shares.reserve_ppm, shares.solidarity_ppm, shares.patronage_ppm]
    )
    wanted: dict[str, Lines] = {
        COOP: {
            (YEAR_LINE, MARGIN): -year.margin_nano,
            (YEAR_LINE, FEES): -year.fees_nano,
            (YEAR_LINE, RESERVE): reserve,
            (YEAR_LINE, SOLIDARITY): solidarity,
            (YEAR_LINE, PATRONAGE): patronage,
        }
    }
    members = sorted({*year.bought_wh, *year.sold_wh}, key=lambda member: member.encode("utf-8"))
    weights = [
        year.bought_wh.get(member, 0) * shares.buy_weight + year.sold_wh.get(member, 0) * shares.sell_weight
        for member in members
    ]
    for member, refund in zip(members, largest_remainder(patronage, weights), strict=True):
        wanted[member] = {(REFUND_LINE, f"member:{member}:money"): refund, (REFUND_LINE, PATRONAGE): -refund}
    return wanted


def target_grants(grants_nano: Mapping[str, int], *, fund_nano: int, members: Sequence[str]) -> dict[str, Lines]:
    """Grants out of the solidarity fund. Raises: RejectedInputError where they come to more than is in it."""
    _require_members(grants_nano, members, "grants")
    for member, nano in grants_nano.items():
        require_integer(nano, f"grants.{one_line(member)}")
    if sum(grants_nano.values()) > fund_nano:
        raise RejectedInputError(
            "out_of_range", f"grants of {sum(grants_nano.values())} nano, the fund holds {fund_nano}"
        )
    return {
        member: {(GRANT_LINE, f"member:{member}:money"): nano, (GRANT_LINE, SOLIDARITY): -nano}
        for member, nano in grants_nano.items()
    }


def fund_entries(
    wanted: TargetLines, booked: Iterable[Entry], *, lines: Sequence[str], day: str, run: str, cites: str
) -> tuple[Entry, ...]:
    """The entries that bring these `lines` of the day from what is booked to what is wanted; none where all is so.

    `booked` are all entries of the day; those of settlement and of other funds are passed over.
    """
    standing: dict[str, Lines] = defaultdict(lambda: defaultdict(int))
    for entry in booked:
        for posting in entry.postings:
            if posting.line in lines:
                standing[entry.member][posting.line, posting.account] += posting.amount
    entries = []
    for member in sorted({*wanted, *standing}, key=lambda name: name.encode("utf-8")):
        postings = difference(wanted.get(member, {}), standing.get(member, {}))
        if postings:
            entries.append(Entry("nano", day, run, member, postings, cites))
    return tuple(entries)


class YearTally:
    """Adds up a year's margin, fees and transacted energy entry by entry; what was split before does not count."""

    def __init__(self) -> None:
        self._margin_nano = self._fees_nano = 0
        self._bought_wh: dict[str, int] = defaultdict(int)
        self._sold_wh: dict[str, int] = defaultdict(int)

    def add(self, entry: Entry) -> None:
        """One entry of the year, of whatever run."""
        energy = f"member:{entry.member}:energy"
        for posting in entry.postings:
            if posting.account == MARGIN and posting.line != YEAR_LINE:
                self._margin_nano += posting.amount
            elif posting.account == FEES and posting.line == FEE_LINE:
                self._fees_nano += posting.amount
            elif posting.account == energy and posting.line == "received":
                self._bought_wh[entry.member] += posting.amount
            elif posting.account == energy and posting.line == "sold":
                self._sold_wh[entry.member] -= posting.amount

    def books(self) -> YearBooks:
        """The year so far."""
        return YearBooks(self._margin_nano, self._fees_nano, dict(self._bought_wh), dict(self._sold_wh))


def _require_members(named: Iterable[str], members: Sequence[str], where: str) -> None:
    known = frozenset(members)
    for name in named:
        if name not in known:
            raise RejectedInputError("unknown_member", f"{where} names {one_line(name)}, who is not a member then")
