"""The text of a recording is fixed: files of earlier releases must still be read."""

from __future__ import annotations

from protocols.recordings import HEADER, row_text


def test_the_first_line_names_format_and_version() -> None:
    assert HEADER == "commonwatt-recording,1"


def test_a_row_is_time_device_point_and_value() -> None:
    assert row_text(1_795_212_000, "meter", point="energy_import_total", value="12.50") == (
        "1795212000,meter,energy_import_total,12.50"
    )


def test_a_missing_value_leaves_its_field_empty() -> None:
    assert row_text(0, "meter", point="power", value="") == "0,meter,power,"
