"""The board learns which homes are billed by a meter that is not known to be certified."""

from hub.quality.meter_certificates import certificate_line


def test_homes_are_named_with_their_class() -> None:
    assert certificate_line({}) is None
    line = certificate_line({"h02": "unknown", "h01": "none"})
    assert line is not None
    assert "h01 (none), h02 (unknown); where others are charged" in line


def test_many_homes_are_counted() -> None:
    line = certificate_line({f"h{n:02d}": "none" for n in range(12)})
    assert line is not None
    assert "h07 (none) and 4 more" in line
