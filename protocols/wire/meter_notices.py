"""What an agent tells of the grid meter whose energy is settled: how well its map is proven, and what it counts.

Encodes and decodes only. Outside the chain, like the question for the time. It names no maker and no device: the
membership contract covers the grid's energy and whether it can be trusted, not what a household owns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from protocols.maps.model import Metrology, Phases, Quality
from protocols.slots import Slot
from protocols.wire.field_checks import MAX_SECONDS, read_fields, require_id, require_number
from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_reasons import WireError, garbage

VERSION: Final = 3
"""With a factor. A notice without one is told as version 2, which every hub of today reads."""

PLAIN_VERSION: Final = 2
FIRST_VERSION: Final = 1
"""What agents told before notices had netting and error: keys 1 to 9."""

ONCE: Final = 1_000_000
"""The factor of a meter whose values are taken as they are, in millionths."""

LEAST_FACTOR: Final = 1_000
MOST_FACTOR: Final = 10_000_000_000

NettingTime = Literal["none", "15min", "60min", "unknown"]
NETTING_TIMES: Final[tuple[NettingTime, ...]] = get_args(NettingTime)
MOST_WITHIN_WH: Final = 10_000
MAX_SLOT: Final = 2**32 - 1
ToldQuality = Quality | Literal["released"]
"""`released`: a bronze map that the co-op's board has released, byte for byte as it is used."""

RELEASED: Final = "released"
QUALITIES: Final[tuple[ToldQuality, ...]] = (*get_args(Quality), RELEASED)
PHASES: Final[tuple[Phases, ...]] = get_args(Phases)
METROLOGIES: Final[tuple[Metrology, ...]] = get_args(Metrology)
"""The codes are places in these lists and in NETTING_TIMES, so that words may be added at their ends only."""

_FIRST_KEYS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, PAD_KEY)
_PLAIN_KEYS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, PAD_KEY)
_KEYS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, PAD_KEY)


@dataclass(frozen=True, slots=True)
class MeterNotice:
    """The grid meter of one agent from a slot on, told at `at` (Unix seconds).

    `phases` is how the device adds its phases, `legal_phases` how the legal meter does; `is_derived`: the agent derives
    the energy from power, because the two differ. `netting` is the time within which the legal meter or the grid
    operator sets import and export off. Whatever of the grid is marked derived is off by at most the larger of
    `within_wh` and `within_percent` of import and export together; both 0: no such bound is stated.
    `factor_millionths` is what the household multiplies all that the device shows by, a million for nothing.
    """

    agent: str
    at: int
    from_slot: Slot
    quality: ToldQuality
    phases: Phases
    legal_phases: Phases
    is_derived: bool
    metrology: Metrology
    netting: NettingTime = "unknown"
    within_wh: int = 0
    within_percent: int = 0
    factor_millionths: int = ONCE

    @property
    def has_bound(self) -> bool:
        """Whether the agent states how far derived energy may be off."""
        return self.within_wh > 0


def encode_meter(notice: MeterNotice) -> bytes:
    """The payload of a notice, padded. Raises: WireError if it breaks a rule of this module."""
    _check(notice)
    is_multiplied = notice.factor_millionths != ONCE
    return encode_padded(
        {
            1: VERSION if is_multiplied else PLAIN_VERSION,
            2: notice.agent,
            3: notice.at,
            4: notice.from_slot,
            5: QUALITIES.index(notice.quality),
            6: PHASES.index(notice.phases),
            7: PHASES.index(notice.legal_phases),
            8: int(notice.is_derived),
            9: METROLOGIES.index(notice.metrology),
            10: NETTING_TIMES.index(notice.netting),
            11: notice.within_wh,
            12: notice.within_percent,
            **({13: notice.factor_millionths} if is_multiplied else {}),
        }
    )


def decode_meter(data: bytes) -> MeterNotice:
    """The exact inverse of `encode_meter`; also reads the first version. Raises: WireError(GARBAGE)."""
    fields = _read(data)
    notice = MeterNotice(
        agent=fields[2],
        at=fields[3],
        from_slot=fields[4],
        quality=QUALITIES[require_number(fields[5], "the map's quality", most=len(QUALITIES) - 1)],
        phases=PHASES[require_number(fields[6], "the device's phases", most=len(PHASES) - 1)],
        legal_phases=PHASES[require_number(fields[7], "the legal meter's phases", most=len(PHASES) - 1)],
        is_derived=bool(require_number(fields[8], "whether it is derived", most=1)),
        metrology=METROLOGIES[require_number(fields[9], "the class of the meter", most=len(METROLOGIES) - 1)],
        netting=NETTING_TIMES[require_number(fields[10], "the netting", most=len(NETTING_TIMES) - 1)],
        within_wh=fields[11],
        within_percent=fields[12],
        factor_millionths=fields[13],
    )
    _check(notice)
    if fields[1] == VERSION and notice.factor_millionths == ONCE:
        raise garbage("a notice with a factor that changes nothing")
    return notice


def _read(data: bytes) -> dict[int, Any]:
    """The fields of any version, those of an earlier one filled up with what it does not say."""
    what = "a notice of a meter"
    try:
        return read_fields(data, _KEYS, what, version=VERSION)
    except WireError:
        return {**_earlier(data, what), 13: ONCE}


def _earlier(data: bytes, what: str) -> dict[int, Any]:
    try:
        return read_fields(data, _PLAIN_KEYS, what, version=PLAIN_VERSION)
    except WireError:
        first = read_fields(data, _FIRST_KEYS, what, version=FIRST_VERSION)
        return {**first, 10: NETTING_TIMES.index("unknown"), 11: 0, 12: 0}


def _check(notice: MeterNotice) -> None:
    require_id(notice.agent, "the agent's")
    require_number(notice.at, "the time in Unix seconds (field 3)", most=MAX_SECONDS)
    require_number(notice.from_slot, "the first slot in quarter hours since 1970", most=MAX_SLOT)
    require_number(notice.within_wh, "the error of derived energy in Wh", most=MOST_WITHIN_WH)
    require_number(notice.within_percent, "the error of derived energy in percent", most=100)
    require_number(notice.factor_millionths, "the factor in millionths", least=LEAST_FACTOR, most=MOST_FACTOR)
