"""The charts: for any numbers, well-formed SVG that stays inside its box and contains its sentence."""

import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.web.frame.charts import (
    PRESENCE_HEIGHT,
    WIDTH,
    Chart,
    ChartAxis,
    ChartSpan,
    ChartTable,
    draw_amount,
    draw_balance,
    draw_bars,
    draw_day,
    draw_presence,
    nice_ceiling,
)

TABLE = ChartTable(("Time", "kW"), (("00:00", "1.0"),))
AXIS = ChartAxis(96, ((0, "0"), (48, "12"), (96, "24")), "kW")
values = st.lists(st.none() | st.floats(0, 1e6), min_size=96, max_size=96)
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


def parsed(drawing: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(str(drawing.svg))


def numbers_of(drawing: Chart) -> list[float]:
    paths = [part.get("d", "") for part in parsed(drawing).iter("path")]
    return [float(number) for path in paths for number in re.findall(r"-?\d+(?:\.\d+)?", path)]


@given(st.floats(1e-6, 1e12))
def test_nice_ceiling_is_never_below_and_never_far_above(value: float) -> None:
    top = nice_ceiling(value)
    assert value <= top * (1 + 1e-9)
    assert top <= value * 1.35 * (1 + 1e-9)


@settings(max_examples=30)
@given(made=values, used=values, title=texts, sentence=texts)
def test_day_picture_is_well_formed_and_inside_its_box(
    made: list[float | None], used: list[float | None], title: str, sentence: str
) -> None:
    band = [None if value is None else (value / 2, value) for value in made]
    drawing = draw_day(
        "day", title, axis=AXIS, made=made, band=band, used=used, now=40.0, spells=(ChartSpan(30, 60, "<good>"),),
        sentence=sentence, table=TABLE,
    )  # fmt: skip
    svg = parsed(drawing)
    assert svg.findtext("title") == title
    assert svg.findtext("desc") == sentence
    assert all(0 <= number <= WIDTH for number in numbers_of(drawing) if number != -6)


@settings(max_examples=30)
@given(made=values)
def test_a_line_has_a_point_for_every_known_slot_and_a_break_for_every_hole(made: list[float | None]) -> None:
    drawing = draw_day(
        "day", "t", axis=AXIS, made=made, band=[None] * 96, used=[None] * 96, now=None, spells=(), sentence="s",
        table=TABLE,
    )  # fmt: skip
    line = next(part.get("d", "") for part in parsed(drawing).iter("path") if part.get("class") == "made")
    stretches = sum(1 for i, value in enumerate(made) if value is not None and (i == 0 or made[i - 1] is None))
    assert line.count("M") == stretches


@settings(max_examples=30)
@given(today=values, before=values)
def test_bars_stay_inside_their_box(today: list[float | None], before: list[float | None]) -> None:
    drawing = draw_bars("bars", "t", axis=AXIS, today=today, before=before, kind="used", sentence="s", table=TABLE)
    assert all(0 <= number <= WIDTH for number in numbers_of(drawing))


@given(st.lists(st.sampled_from(sorted(PRESENCE_HEIGHT)), max_size=100))
def test_presence_strip_covers_every_slot_once_with_runs_merged(states: list[str]) -> None:
    drawing = draw_presence("strip", "t", states=states, sentence="s")
    boxes = list(ElementTree.fromstring(drawing).iter("rect"))
    runs = sum(1 for i, state in enumerate(states) if i == 0 or states[i - 1] != state)
    assert len(boxes) == runs
    if states:
        assert abs(sum(float(box.get("width", "0")) for box in boxes) - WIDTH) <= 0.1 * len(boxes)


def test_presence_is_shown_by_height_and_not_by_colour_alone() -> None:
    heights = [PRESENCE_HEIGHT[state] for state in ("present", "derived", "missing", "waiting")]
    assert heights == sorted(set(heights), reverse=True)


def test_a_state_nobody_knows_is_drawn_as_missing_and_cannot_break_out() -> None:
    drawing = draw_presence("strip", "t", states=['"><script>'], sentence="s")
    assert [box.get("class") for box in ElementTree.fromstring(drawing).iter("rect")] == ["is-missing"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=31))
def test_balance_line_stays_inside_its_box(balance: list[float]) -> None:
    drawing = draw_balance("balance", "t", axis=ChartAxis(31, (), "EUR"), balance=balance, sentence="s", table=TABLE)
    assert all(0 <= number <= WIDTH for number in numbers_of(drawing))


@given(st.floats(-1e3, 1e6), st.floats(0, 1e6))
def test_amount_bar_is_between_nothing_and_full(value: float, whole: float) -> None:
    svg = ElementTree.fromstring(str(draw_amount(value, whole, kind="used")))
    assert 0 <= float(list(svg.iter("rect"))[1].get("width", "")) <= 100


@given(texts)
def test_no_word_of_a_chart_becomes_markup(text: str) -> None:
    hostile = f"</svg><script>{text}</script>"
    axis = ChartAxis(96, ((0, hostile),), hostile)
    drawing = draw_day(
        "day", hostile, axis=axis, made=[1.0] * 96, band=[None] * 96, used=[None] * 96, now=None,
        spells=(ChartSpan(1, 9, hostile),), sentence=hostile, table=TABLE,
    )  # fmt: skip
    assert {part.tag for part in parsed(drawing).iter()} <= {"svg", "title", "desc", "path", "text", "rect"}
