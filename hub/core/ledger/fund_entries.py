"""The co-op's own funds as balanced entries: member fees, the year's surplus by voted shares, refunds and grants.

The target functions say what the books should hold for a period, and `fund_entries` returns the entries that bring
them there, so a later run after corrections books only the difference. The members vote on scales, shares and grants.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hub.core.allocation.rounding import largest_remainder
from hub.core.ledger.entries import Entry, Lines, difference
from hub.core.rules.input_checks import RejectedInputError, one_line, require_integer
from hub.core.rules.part_months import MemberDays, part_of_fee

PPM: Final = 1_000_000
NANO_PER_MICRO: Final = 1_000
COOP: Final = "coop:"
"""The member id in an entry that belongs to no member; no real member can have it."""
MARGIN, FEES, RESERVE = "coop:margin", "coop:fees", "coop:reserve"
SOLIDARITY, PATRONAGE = "coop:solidarity", "coop:patronage"
FEE_LINE, YEAR_LINE, REFUND_LINE, GRANT_LINE = "fee", "year-end", "patronage", "solidarity"

TargetLines = Mapping[str, Lines]
"""What the books should hold for one period, by member: (line, account) with its amount in nano-currency."""


@dataclass(frozen=True, slots=True)
class FeeScale:
    """Monthly fees by step, the usual step, and the members who chose another step. Units: nano."""

    steps_nano: Mapping[str, int]
    usual: str
    chosen: Mapping[str, str] = field(default_factory=dict)

    def fee_nano(self, member: str) -> int:
        """What this member pays for a whole month; a fee may be 0."""
        return self.steps_nano[self.chosen.get(member, self.usual)]


@dataclass(frozen=True, slots=True)
class SurplusShares:
    """How the members voted to split a year's surplus, in ppm, and how much a Wh bought or sold weighs in refunds."""

    reserve_ppm: int
    solidarity_ppm: int
    patronage_ppm: int
    buy_weight: int = 1
    sell_weight: int = 1


@dataclass(frozen=True, slots=True)
class YearBooks:
    """A booked year: margin and fees in nano, and the Wh each member bought from and sold to neighbours."""

    margin_nano: int
    fees_nano: int
    bought_wh: Mapping[str, int]
    sold_wh: Mapping[str, int]


def check_scale(scale: FeeScale, members: Sequence[str]) -> None:
    """Raises: RejectedInputError for a step that is not an amount, an unknown step or an unknown member."""
    for step, nano in scale.steps_nano.items():
        require_integer(nano, f"steps.{one_line(step)}")
    if not scale.steps_nano:
        raise RejectedInputError("malformed", "steps is empty: add a table [steps] with what each step costs a month")
    if not scale.usual:
        raise RejectedInputError("malformed", "usual is missing: name the step of whoever has chosen none")
    for where, step in (("usual", scale.usual), *((f"chosen.{one_line(m)}", s) for m, s in scale.chosen.items())):
        if not isinstance(step, str) or step not in scale.steps_nano:
            raise RejectedInputError("malformed", f"{where} names {one_line(step)}, which is not a step of the scale")
    _require_members(scale.chosen, members, "chosen")


def check_shares(shares: SurplusShares) -> None:
    """Raises: RejectedInputError for shares that do not add up to 1000000 ppm, or weights that are both zero."""
    parts = {"reserve_ppm": shares.reserve_ppm, "solidarity_ppm": shares.solidarity_ppm}
    parts["patronage_ppm"] = shares.patronage_ppm
    for name, ppm in parts.items():
        require_integer(ppm, name)
    if sum(parts.values()) != PPM:
        raise RejectedInputError("malformed", f"{' + '.join(parts)} is {sum(parts.values())}, not {PPM}")
    weights = [require_integer(shares.buy_weight, "buy_weight"), require_integer(shares.sell_weight, "sell_weight")]
    if not any(weights):
        raise RejectedInputError("weights_zero", "buy_weight and sell_weight are both zero")


def target_fees(scale: FeeScale, members: Mapping[str, MemberDays], *, part_month: str) -> dict[str, Lines]:
    """The fees of a month's members, parts of a month as the rule says. Raises: RejectedInputError, as check_scale."""
    check_scale(scale, tuple(members))
    wanted = {}
    for member, member_days in members.items():
        fee = part_of_fee(scale.fee_nano(member), part_month, member_days)
        wanted[member] = {(FEE_LINE, f"member:{member}:money"): -fee, (FEE_LINE, FEES): fee}
    return wanted


def target_year_split(year: YearBooks, shares: SurplusShares) -> dict[str, Lines]:
    """The year's surplus as the members voted to split it; the patronage part is refunded by energy, never by capital.

    If nobody bought or sold, the patronage part stays in its account.
    Raises: RejectedInputError, including for a year with a loss.
    """
    check_shares(shares)
    pot = year.margin_nano + year.fees_nano
    if year.margin_nano < 0 or year.fees_nano < 0:
        raise RejectedInputError(
            "negative", f"the year has a loss (margin {year.margin_nano}, fees {year.fees_nano} nano): nothing to split"
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
    """Grants from the solidarity fund. Raises: RejectedInputError if they exceed what the fund holds."""
    _require_members(grants_nano, members, "grants")
    for member, nano in grants_nano.items():
        require_integer(nano, f"grants.{one_line(member)}")
    if sum(grants_nano.values()) > fund_nano:
        raise RejectedInputError(
            "out_of_range", f"the grants are {sum(grants_nano.values())} nano, but the fund holds {fund_nano}"
        )
    return {
        member: {(GRANT_LINE, f"member:{member}:money"): nano, (GRANT_LINE, SOLIDARITY): -nano}
        for member, nano in grants_nano.items()
    }


def fund_entries(
    wanted: TargetLines, booked: Iterable[Entry], *, lines: Sequence[str], day: str, run: str, cites: str
) -> tuple[Entry, ...]:
    """The entries that bring these `lines` of the day from what is booked to what is wanted; none if nothing differs.

    `booked` are all entries of the day; entries from settlement and from other funds are ignored.
    """
    current: dict[str, Lines] = defaultdict(lambda: defaultdict(int))
    for entry in booked:
        for posting in entry.postings:
            if posting.line in lines:
                current[entry.member][posting.line, posting.account] += posting.amount
    entries = []
    for member in sorted({*wanted, *current}, key=lambda name: name.encode("utf-8")):
        postings = difference(wanted.get(member, {}), current.get(member, {}))
        if postings:
            entries.append(Entry("nano", day, run, member, postings, cites))
    return tuple(entries)


class YearTally:
    """Adds up a year's margin, fees and traded energy entry by entry. An earlier split of the year does not count."""

    def __init__(self) -> None:
        self._margin_nano = self._fees_nano = 0
        self._bought_wh: dict[str, int] = defaultdict(int)
        self._sold_wh: dict[str, int] = defaultdict(int)

    def add(self, entry: Entry) -> None:
        """One entry of the year, from any run."""
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
            raise RejectedInputError(
                "unknown_member", f"{where} names {one_line(name)}, who is not a member in that period"
            )
