"""A waiting mail's secret opens only for its own notice and with the hub's own key."""

from hub.notices.sealing import SecretSeal

PLACE = ("invitation", "m01", "h01 ab")


def test_a_secret_opens_only_where_it_belongs() -> None:
    seal = SecretSeal(bytes(32))
    sealed = seal.seal("a-token", place=PLACE)
    assert b"a-token" not in sealed
    assert seal.seal("a-token", place=PLACE) != sealed
    assert seal.open(sealed, place=PLACE) == "a-token"
    assert seal.open(sealed, place=("invitation", "m02", "h01 ab")) is None, "another member would get the token"
    assert seal.open(sealed[:-1], place=PLACE) is None
    assert seal.open(b"", place=PLACE) is None
    assert seal.open(None, place=PLACE) is None
    assert SecretSeal(b"o" * 32).open(sealed, place=PLACE) is None
