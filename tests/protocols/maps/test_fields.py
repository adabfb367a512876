"""Keys of a TOML table: every shape with its edges, what is missing and left over, and the place each error names."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from protocols.maps.fields import MAX_ITEMS, MAX_TEXT, TomlFields
from protocols.maps.model import MapError


def table(**keys: object) -> TomlFields:
    return TomlFields("x.toml", keys)


def refusal(read: Callable[[], Any]) -> str:
    with pytest.raises(MapError) as caught:
        read()
    line = str(caught.value)
    assert line.startswith("x.toml")
    assert "\n" not in line
    return line


def test_what_was_read_is_gone_and_what_is_left_is_refused() -> None:
    fields = table(vendor="Acme", colour=3)
    assert (fields.has("vendor"), fields.has("size")) == (True, False)
    assert fields.text("vendor") == "Acme"
    assert not fields.has("vendor")
    assert refusal(fields.finish) == "x.toml: unknown key 'colour'"
    assert refusal(lambda: fields.text("vendor")) == "x.toml: vendor: missing, expected text"
    assert fields.raw("colour") == 3
    fields.finish()


def test_only_a_table_is_a_table() -> None:
    assert refusal(lambda: TomlFields("x.toml", 3)) == "x.toml: expected a table, found 3"


def test_defaults_fill_in_what_the_table_does_not_give() -> None:
    fields = TomlFields("x.toml", {"unit": "W"}, {"unit": "V", "poll": "fast"})
    assert (fields.text("unit"), fields.text("poll")) == ("W", "fast")
    fields.finish()
    assert table().text("note", "-") == "-"


@pytest.mark.parametrize("found", ["", "x" * (MAX_TEXT + 1), 5, True, ["x"]])
def test_text_is_a_string_that_is_neither_empty_nor_endless(found: object) -> None:
    assert f"vendor: expected text of 1 to {MAX_TEXT} characters" in refusal(lambda: table(vendor=found).text("vendor"))


def test_the_longest_text_and_a_shown_value_that_is_too_long() -> None:
    assert table(vendor="x" * MAX_TEXT).text("vendor") == "x" * MAX_TEXT
    shown = refusal(lambda: table(vendor="x" * 700).text("vendor")).split("found ")[1]
    assert shown == "'" + "x" * 56 + "..."


@pytest.mark.parametrize("name", ["p", "active_power", "meter.active_power", "a1.2_b", "a" * 80])
def test_names_of_points(name: str) -> None:
    assert table(name=name).name("name") == name


@pytest.mark.parametrize("name", ["Power", "1p", "_p", "a..b", "a.", ".a", "a-b", "a b", "a\n", "a" * 81])
def test_names_that_points_do_not_have(name: str) -> None:
    assert "name: expected a name like 'meter.active_power'" in refusal(lambda: table(name=name).name("name"))


def test_a_choice_is_one_of_the_words() -> None:
    assert table(poll="fast").choice("poll", ("fast", "slow")) == "fast"
    assert table().choice("poll", ("fast", "slow"), "slow") == "slow"
    assert "poll: expected one of fast, slow, found 'Fast'" in refusal(
        lambda: table(poll="Fast").choice("poll", ("fast", "slow"))
    )
    assert "poll: missing, expected one of fast, slow" in refusal(lambda: table().choice("poll", ("fast", "slow")))


def test_a_flag_is_true_or_false() -> None:
    assert [table(absolute=each).flag("absolute") for each in (True, False)] == [True, False]
    assert (table().flag("absolute"), table().flag("absolute", True)) == (False, True)
    for found in (1, 0, "true"):
        assert "absolute: expected true or false" in refusal(lambda found=found: table(absolute=found).flag("absolute"))


def test_a_whole_number_lies_within_its_bounds() -> None:
    for number in (3, 10):
        assert table(port=number).whole("port", 3, 10) == number
    for found in (2, 11, 5.0, Decimal(5), True, "5"):
        line = refusal(lambda found=found: table(port=found).whole("port", 3, 10))
        assert "port: expected a whole number 3..10, found " in line
    assert table().whole("port", 3, 10, default=7) == 7
    assert table().whole_or_none("port", 3, 10) is None
    assert table(port=3).whole_or_none("port", 3, 10) == 3
    assert "port: missing" in refusal(lambda: table().whole("port", 3, 10))


@pytest.mark.parametrize(
    "found", [Decimal("0.01"), Decimal("-12.5"), 7, -7, 10**30 - 1, Decimal("1e30"), Decimal("1e-30")]
)
def test_a_number_is_exact_as_written(found: Decimal | int) -> None:
    assert table(scale=found).number("scale", Decimal(1)) == Decimal(found)


@pytest.mark.parametrize(
    "found",
    [
        0,
        Decimal(0),
        Decimal("nan"),
        Decimal("inf"),
        10**30,
        -(10**30),
        Decimal("1e31"),
        Decimal("1e-31"),
        True,
        "1",
        0.5,
    ],
)
def test_what_is_not_a_number_other_than_zero(found: object) -> None:
    assert "scale: expected a number other than 0" in refusal(lambda: table(scale=found).number("scale", Decimal(1)))


def test_a_number_that_is_not_given() -> None:
    assert table().number("scale", Decimal(3)) == 3
    assert table().number_or_none("scale") is None
    assert table(scale=2).number_or_none("scale") == 2


def test_bounds_are_the_lowest_and_the_highest() -> None:
    assert table(range=[-5, Decimal("5.5")]).bounds("range") == (-5, Decimal("5.5"))
    assert table(range=[0, 0]).bounds("range") == (0, 0)
    assert table().bounds("range") == (None, None)
    for found in ([1], [1, 2, 3], [2, 1], ["1", 2], 5, [1, Decimal("nan")]):
        line = refusal(lambda found=found: table(range=found).bounds("range"))
        assert "range: expected [lowest, highest]" in line


def test_lists_of_texts() -> None:
    assert table(models=["a", "b"]).texts("models") == ("a", "b")
    assert table().texts("models") == ()
    assert "models: missing, expected a list" in refusal(lambda: table().texts("models", needed=True))
    assert "models: expected a list of 1 to 400 items" in refusal(lambda: table(models=[]).texts("models", needed=True))
    for found in ([""], ["x" * (MAX_TEXT + 1)], [5]):
        assert "expected a list of texts" in refusal(lambda found=found: table(models=found).texts("models"))
    assert "expected a list of 0 to 400 items" in refusal(lambda: table(models="a").texts("models"))


def test_a_list_has_at_most_its_limit_of_items() -> None:
    assert len(table(ids=[1] * MAX_ITEMS).wholes("ids", 1, 5)) == MAX_ITEMS
    assert "ids: expected a list of 0 to 400 items" in refusal(
        lambda: table(ids=[1] * (MAX_ITEMS + 1)).wholes("ids", 1, 5)
    )


def test_lists_of_whole_numbers() -> None:
    assert table(ids=[1, 5]).wholes("ids", 1, 5) == (1, 5)
    for found in ([0], [6], [True], ["1"]):
        line = refusal(lambda found=found: table(ids=found).wholes("ids", 1, 5))
        assert "ids: expected a list of whole numbers 1..5" in line


def test_lists_of_choices_keep_their_order_and_are_never_empty() -> None:
    assert table(kinds=["wind", "pv"]).choices("kinds", ("pv", "wind")) == ("wind", "pv")
    assert "kinds: expected a list of values from pv, wind, found ['gas']" in refusal(
        lambda: table(kinds=["gas"]).choices("kinds", ("pv", "wind"))
    )
    assert "kinds: expected a list of 1 to 400 items" in refusal(lambda: table(kinds=[]).choices("kinds", ("pv",)))


def test_lists_of_names_in_groups() -> None:
    assert table(atomic=[["a", "b"], ["c"]]).lists_of_texts("atomic") == (("a", "b"), ("c",))
    for found in ([[]], ["a"], [[1]]):
        line = refusal(lambda found=found: table(atomic=found).lists_of_texts("atomic"))
        assert "atomic: expected a list of lists of names" in line


def test_a_table_inside_names_its_place() -> None:
    inner = table(transport={"speed": 3}).table("transport")
    assert refusal(inner.finish) == "x.toml transport: unknown key 'speed'"
    table().table("transport").finish()
    assert refusal(lambda: table(transport=5).table("transport")) == "x.toml transport: expected a table, found 5"


def test_a_table_with_free_keys_is_given_whole() -> None:
    assert table(symbols={"1": "on"}).raw_table("symbols") == {"1": "on"}
    assert table().raw_table("symbols") == {}
    assert "symbols: expected a table, found 5" in refusal(lambda: table(symbols=5).raw_table("symbols"))


def test_tables_in_a_list_name_their_number_and_their_name() -> None:
    one, two = table(points=[{"colour": 1}, {"name": "power", "colour": 1}]).tables("points")
    assert refusal(one.finish) == "x.toml points[0]: unknown key 'colour'"
    assert two.name("name") == "power"
    assert refusal(two.finish) == "x.toml points[1] 'power': unknown key 'colour'"
    assert refusal(lambda: table(points=[3]).tables("points")) == "x.toml points[0]: expected a table, found 3"


def test_shared_keys_are_defaults_of_every_table_and_no_longer_left_over() -> None:
    outer = table(title="t", unit="W", points=[{"unit": "V"}, {}])
    assert outer.text("title") == "t"
    first, second = outer.tables("points", share_rest=True)
    assert (first.text("unit"), second.text("unit")) == ("V", "W")
    for fields in (first, second, outer):
        fields.finish()


def test_without_sharing_other_keys_stay_where_they_are() -> None:
    outer = table(unit="W", points=[{}])
    (inner,) = outer.tables("points")
    assert not inner.has("unit")
    assert refusal(outer.finish) == "x.toml: unknown key 'unit'"
