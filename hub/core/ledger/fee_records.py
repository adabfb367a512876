"""The record of a month's fees: the plan voted on, who was a member on how many days, and the amounts that follow.

The ledger's entries cite the record, so whoever has it can compute the fees again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from hub.core.ledger.entries import Lines
from hub.core.ledger.fund_entries import FeeScale, TargetLines, target_fees
from hub.core.rules.part_months import BY_DAY, FULL_MONTH, MemberDays

FEES_KIND: Final = "fund:fees"
RECORD_TAG: Final = b"commonwatt fund record v1\n"
PLAN_TAG: Final = b"commonwatt fund plan v1\n"


@dataclass(frozen=True, slots=True)
class FeePart:
    """A part of a month as a bill states it: days of membership, days of the month, the whole month's fee in nano."""

    days: int
    of: int
    month_nano: int


class _Plan(msgspec.Struct, frozen=True):
    steps_nano: dict[str, int]
    usual: str
    chosen: dict[str, str]
    part_month: str = FULL_MONTH


class _Inputs(msgspec.Struct, frozen=True):
    """A record of whole months names the members only, as all records did before parts of a month were counted."""

    month: str
    members: tuple[str, ...]
    days: dict[str, int] = {}
    on_first_day: tuple[str, ...] = ()
    month_days: int = 1


class FeeRecord(msgspec.Struct, frozen=True):
    """The part of a fee run's record that its amounts follow from, and the amounts."""

    plan: _Plan
    inputs: _Inputs
    amounts: dict[str, tuple[tuple[str, str, int], ...]]

    @property
    def scale(self) -> FeeScale:
        """The fees voted on."""
        return FeeScale(self.plan.steps_nano, self.plan.usual, self.plan.chosen)

    @property
    def members(self) -> Mapping[str, MemberDays]:
        """How long each member was one in the month."""
        of, first = self.inputs.month_days, frozenset(self.inputs.on_first_day)
        if self.plan.part_month == FULL_MONTH:
            return {member: MemberDays(of, of, on_first=True) for member in self.inputs.members}
        return {
            name: MemberDays(self.inputs.days.get(name, 0), of, on_first=name in first) for name in self.inputs.members
        }

    def stated(self) -> TargetLines:
        """The amounts that the record states."""
        amounts: dict[str, Lines] = {}
        for member, lines in self.amounts.items():
            amounts[member] = {(line, account): nano for line, account, nano in lines}
        return amounts

    def recomputed(self) -> TargetLines:
        """The amounts that follow from plan and inputs. Raises: RejectedInputError."""
        return target_fees(self.scale, self.members, part_month=self.plan.part_month)

    def parts(self) -> Mapping[str, FeePart]:
        """The members who pay for some of the month's days only, if the fees are by day."""
        if self.plan.part_month != BY_DAY:
            return {}
        return {
            name: FeePart(each.days, each.of, self.scale.fee_nano(name))
            for name, each in self.members.items()
            if not each.is_whole
        }


def read_fee_record(document: bytes) -> FeeRecord:
    """The record, without the tag before it. Raises: ValueError."""
    return msgspec.json.decode(document, type=FeeRecord)


def fee_inputs(month: str, members: Mapping[str, MemberDays], *, part_month: str) -> dict[str, object]:
    """What a plan is applied to, as the record keeps it."""
    inputs: dict[str, object] = {"month": month, "members": list(members)}
    if part_month == FULL_MONTH:
        return inputs
    return inputs | {
        "days": {name: each.days for name, each in members.items()},
        "on_first_day": [name for name, each in members.items() if each.on_first],
        "month_days": max((each.of for each in members.values()), default=1),
    }
