"""Which limit a home's connection has: its agreement, else the rulebook, else its country. Never none."""

from zoneinfo import available_timezones

import pytest

from hub.core.quality.connection_limits import (
    USUAL_CONNECTION_W,
    ConnectionLimit,
    connection_limits,
    usual_connection_w,
)


@pytest.mark.parametrize(
    ("agreed", "rule_w", "limit"),
    [
        ({"h1": 9_000}, 20_000, ConnectionLimit(9_000, "agreement")),
        ({"h1": 60_000}, 20_000, ConnectionLimit(60_000, "agreement")),
        ({"h2": 9_000}, 20_000, ConnectionLimit(20_000, "rulebook")),
        ({}, 0, ConnectionLimit(43_500, "country")),
    ],
)
def test_the_agreement_counts_before_the_rulebook_and_the_country(
    agreed: dict[str, int], rule_w: int, limit: ConnectionLimit
) -> None:
    assert connection_limits(["h1"], agreed_w=agreed, rule_w=rule_w, tz="Europe/Vienna") == {"h1": limit}


def test_a_limit_is_never_off() -> None:
    limits = {usual_connection_w(tz) for tz in (*available_timezones(), "no/zone")}
    assert limits == set(USUAL_CONNECTION_W.values())
    assert min(limits) >= 10_000
