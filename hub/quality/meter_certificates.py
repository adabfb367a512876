"""Homes that are billed by a meter without a certificate for billing: a line for the board before it approves."""

from collections.abc import Mapping
from typing import Final

from protocols.maps.model import Metrology

SHOWN: Final = 8


def certificate_line(uncertified: Mapping[str, Metrology]) -> str | None:
    """The homes whose agent told of a meter without a certificate or of an unknown one; None if there are none.

    A home whose agent tells nothing is not named: nothing is known of its meter.
    """
    found = sorted(uncertified.items())
    if not found:
        return None
    named = ", ".join(f"{home} ({metrology})" for home, metrology in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"billed by a meter that is not known to be certified for billing (MID): {named}{more}; where others are"
        " charged by it, ask whether the law allows that"
    )
