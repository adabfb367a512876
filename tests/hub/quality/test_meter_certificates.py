"""The board learns which homes are billed by a meter that is not known to be certified."""

from hub.core.homes.meter_trust import MeterSpan, ToldMeter
from hub.quality.meter_certificates import certificate_line
from hub.storage.fleet_records import ReceivedNotice
from protocols.maps.model import Metrology


class Told:
    """A store of what these homes told."""

    def __init__(self, **told: Metrology) -> None:
        self._told = tuple(
            ToldMeter(home, 1, 0, "silver", "netted", "netted", False, metrology) for home, metrology in told.items()
        )

    async def note_meters(self, received: object) -> None:
        raise AssertionError(ReceivedNotice)

    async def told_meters(self) -> tuple[ToldMeter, ...]:
        return self._told

    async def unproven_meters(self) -> tuple[MeterSpan, ...]:
        return ()


async def test_only_what_is_told_and_not_certified_is_named() -> None:
    assert await certificate_line(Told()) is None
    assert await certificate_line(Told(h01="MID B")) is None
    line = await certificate_line(Told(h02="unknown", h01="none", h03="MID C"))
    assert line is not None
    assert "h01 (none), h02 (unknown); where others are charged" in line


async def test_many_homes_are_counted() -> None:
    line = await certificate_line(Told(**{f"h{n:02d}": "none" for n in range(12)}))
    assert line is not None
    assert "h07 (none) and 4 more" in line
