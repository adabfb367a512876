"""The types used in prompting: appliance, earlier prompt, member, the co-op's rules, proposal. They decide nothing.

ShiftableAppliance and EarlierPrompt are protocols, so that stored rows with these fields can be passed in as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

REASON_CODES = (
    "forecast_issued_slot",
    "expected_surplus_wh",
    "relief_wh",
    "peak_risk_per_100",
    "asked_this_week",
    "asks_per_week_max",
    "asks_per_day_max",
    "relief_min_wh",
)


class ShiftableAppliance(Protocol):
    """An appliance that the household says it could run at another hour; slots of the day are local, 0 to 95.

    A run stays between `earliest_slot_of_day` and `latest_slot_of_day` (its last slot). A latest slot before the
    earliest one is on the next day.
    """

    @property
    def home(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def energy_wh(self) -> int: ...
    @property
    def duration_slots(self) -> int: ...
    @property
    def usual_slot_of_day(self) -> int: ...
    @property
    def earliest_slot_of_day(self) -> int: ...
    @property
    def latest_slot_of_day(self) -> int: ...
    @property
    def is_asked(self) -> bool: ...


class EarlierPrompt(Protocol):
    """An earlier prompt to a member, with its answer (yes, no, never_appliance, or None)."""

    @property
    def appliance(self) -> str: ...
    @property
    def energy_wh(self) -> int: ...
    @property
    def usual_slot(self) -> int: ...
    @property
    def proposed_slot(self) -> int: ...
    @property
    def duration_slots(self) -> int: ...
    @property
    def issued_slot(self) -> int: ...
    @property
    def answer(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class MemberHistory:
    """A member who could be asked: the home, whether it consents to prompts, and its prompts from the last 28 days."""

    member: str
    home: str
    is_willing: bool
    earlier_prompts: tuple[EarlierPrompt, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptRules:
    """The co-op's rules for prompts. Quiet hours are local quarter hours; nobody is asked from start to end.

    `limit_wh` is the most the neighbourhood may draw in a slot; without it, the expected peak of the day is the limit.
    Each prompt of the last 28 days multiplies the priority of asking the same member again by `fairness_per_ask`.
    """

    asks_per_day_max: int = 1
    asks_per_week_max: int = 2
    quiet_from_slot_of_day: int = 84
    quiet_until_slot_of_day: int = 28
    notice_slots: int = 4
    lookahead_slots: int = 144
    prompts_max: int = 100
    relief_min_wh: float = 100.0
    robust_share_min: float = 0.6
    peak_weight: float = 0.25
    limit_wh: float | None = None
    response_prior: float = 0.4
    response_prior_asks: float = 5.0
    fairness_per_ask: float = 0.9


@dataclass(frozen=True, slots=True)
class PromptProposal:
    """One question to one member. A run moves from `usual_slot` to `proposed_slot`, each `duration_slots` long.

    `relief_wh` is the grid import the neighbourhood is expected to save if the answer is yes, `peak_relief_wh` the
    energy moved out of its highest hours. `reasons` holds codes from REASON_CODES with one number each.
    """

    member: str
    home: str
    appliance: str
    energy_wh: int
    usual_slot: int
    proposed_slot: int
    duration_slots: int
    relief_wh: int
    peak_relief_wh: int
    chance: float
    reasons: tuple[tuple[str, int], ...]
    issued_slot: int
    answer_by_slot: int
