"""TOML is read with and without a byte-order mark; what is no TOML is refused in one line."""

from decimal import Decimal

import pytest

from protocols.toml_text import TomlTextError, read_toml


@pytest.mark.parametrize("content", [b"a = 1", b"\xef\xbb\xbfa = 1", "a = 1", "\ufeffa = 1"])
def test_a_byte_order_mark_changes_nothing(content: bytes | str) -> None:
    assert read_toml(content) == {"a": 1}


def test_numbers_are_exact_where_asked() -> None:
    assert read_toml("a = 0.1", exact=True) == {"a": Decimal("0.1")}
    assert read_toml("a = 0.5") == {"a": 0.5}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "Invalid value"),
        ("\ufeff\ufeffa = 1", "Invalid"),
        ("a = 1\n".encode("utf-16"), "saved as UTF-16, expected UTF-8"),
        (b"a = 1\nb = '\xe4'", "line 2 is not UTF-8"),
        ("a = " + "[" * 20_000, "nested too deeply"),
        ("a = " + "1" * 5000, "4300"),
    ],
)
def test_what_is_no_toml_is_refused_in_one_line(content: bytes | str, words: str) -> None:
    with pytest.raises(TomlTextError) as caught:
        read_toml(content)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
