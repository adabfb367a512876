"""The first rule of the rulebook from hub.toml, and how it counts parts of a month in new and in older hubs."""

import argparse
from pathlib import Path

import pytest

from hub.books.stored_rules import read_rule
from hub.commands.operation import init as init_command
from hub.commands.operation.init import init_hub
from hub.core.rules.country_presets import PRESETS
from hub.core.rules.derived_energy import NO_DERIVED, DerivedRule
from hub.core.rules.part_months import BY_DAY, FULL_MONTH
from hub.core.rules.preset_form import Preset
from hub.core.rules.rulebook import Rule, check_rule
from hub.folder.clock import open_clock
from hub.folder.first_settings import settings_text
from hub.folder.opening import first_rule, open_hub
from hub.folder.settings import RuleSettings, parse_settings
from hub.storage.records import Coop
from protocols.errors import RequestError, SettingsError

COOP = Coop("street", "The Street", "Europe/Madrid", "EUR")
LINE = 'part_month_fee = "by_day"'


def rules_of(text: str) -> RuleSettings:
    return parse_settings(text.encode(), name="hub.toml", folder=Path()).rules


def test_a_new_hub_counts_by_day_unless_its_settings_say_otherwise() -> None:
    text = settings_text(COOP)
    assert LINE in text
    assert first_rule(rules_of(text)).part_month_fee == BY_DAY
    unsaid = "\n".join(line for line in text.splitlines() if not line.startswith("part_month_fee"))
    assert first_rule(rules_of(unsaid)).part_month_fee == BY_DAY
    assert first_rule(rules_of(text.replace(LINE, 'part_month_fee = "full_month"'))).part_month_fee == FULL_MONTH


def test_the_first_rule_can_say_netting_and_that_derived_energy_counts() -> None:
    text = settings_text(COOP)
    rule = first_rule(rules_of(text))
    assert (rule.aggregate, rule.netting, rule.derived) == (1, "none", NO_DERIVED)
    said = text.replace("aggregate = 1 ", "aggregate = 4 ").replace('netting = "none"', 'netting = "60min"')
    said = said.replace("derived_wh = 0 ", "derived_wh = 50 ").replace("derived_percent = 0 ", "derived_percent = 10 ")
    rule = first_rule(rules_of(said))
    assert (rule.aggregate, rule.netting, rule.derived) == (4, "60min", DerivedRule(50, 10))
    assert read_rule(rule.canonical()) == rule


@pytest.mark.parametrize(
    ("line", "wrong", "words"),
    [
        ('netting = "none"', 'netting = "60min"', r"\[rules\]: netting 60min needs aggregate 4"),
        ('netting = "none"', 'netting = "hour"', "rules.netting: expected one of none, 15min, 60min"),
        ("aggregate = 1 ", "aggregate = 3 ", r"\[rules\]: aggregate 3 is neither 1 nor 4"),
        ("derived_wh = 0 ", "derived_wh = 50 ", r"\[rules\]: derived_wh and derived_percent go together"),
    ],
)
def test_a_first_rule_that_cannot_be_is_refused_in_one_line(line: str, wrong: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        rules_of(settings_text(COOP).replace(line, wrong))


def test_a_word_that_is_no_way_is_refused() -> None:
    text = settings_text(COOP).replace(LINE, 'part_month_fee = "by_hour"')
    expected = r"hub.toml: rules.part_month_fee: expected one of by_day, full_month, first_full_month"
    with pytest.raises(SettingsError, match=expected):
        rules_of(text)


def test_whole_months_leave_a_rule_the_bytes_it_had_before_the_setting() -> None:
    assert b"part_month_fee" not in Rule("equal").canonical()
    assert b'"part_month_fee":"by_day"' in Rule("equal", part_month_fee=BY_DAY).canonical()


async def test_a_hub_from_before_the_setting_goes_on_charging_whole_months(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, clock = tmp_path / "hub", open_clock(None)
    await init_hub(folder, coop=COOP, clock=clock)
    settings = folder / "hub.toml"
    said = settings.read_text()
    unsaid = "\n".join(line for line in said.splitlines() if not line.startswith("part_month_fee"))
    settings.write_text(unsaid.replace("[rules]", '[rules]\npart_month_fee = "full_month"', 1))
    _, _, store = await open_hub(folder, clock=clock)
    held = (await store.rule_on("2026-05-31"))[1]
    await store.close()
    settings.write_text(unsaid)
    _, _, store = await open_hub(folder, clock=clock)
    assert (await store.rule_on("2026-05-31"))[1] == held
    await store.close()
    assert b"part_month_fee" not in held
    assert caplog.text == ""
    settings.write_text(said)
    _, _, store = await open_hub(folder, clock=clock)
    await store.close()
    assert "[rules] was edited after it became the first rule" in caplog.text


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_a_presets_first_rule_settles_from_the_first_day(preset: Preset) -> None:
    """One that needs members' shares gives step and netting, and shares by consumption until they have agreed."""
    rule = first_rule(rules_of(settings_text(COOP, preset)))
    check_rule(rule, ["a", "b"])
    assert (rule.aggregate, rule.netting) == (preset.aggregate, preset.netting)
    assert rule.method == (preset.method if preset.needs_no_member else "proportional")


def test_without_a_preset_the_settings_are_as_ever() -> None:
    rule = first_rule(rules_of(settings_text(COOP)))
    assert (rule.method, rule.aggregate, rule.netting) == ("proportional", 1, "none")


def init(folder: Path, *more: str) -> int:
    parser = argparse.ArgumentParser()
    parser.set_defaults(data=folder, clock=None)
    init_command.add_arguments(parser)
    return init_command.run(parser.parse_args(["--name", "X", "--coop", "x", "--tz", "Europe/Madrid", *more]))


def test_init_takes_a_preset_and_says_what_it_still_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(tmp_path / "es", "--preset", "es-beta") == 0
    said = capsys.readouterr().out
    assert "es-beta needs each member's share: until the members are there and have agreed, proportional" in said
    assert "rules propose" in said
    text = (tmp_path / "es" / "hub.toml").read_text()
    assert 'netting = "60min"          #' in text
    assert first_rule(rules_of(text)).aggregate == 4
    assert init(tmp_path / "it", "--preset", "it-cer-hourly") == 0
    assert "needs each member's share" not in capsys.readouterr().out


def test_a_preset_that_there_is_not_is_refused_by_name_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match="--preset: there is no preset 'es-gamma'; use one of: at-static, at-dynamic"
    ):
        init(tmp_path / "hub", "--preset", "es-gamma")
    assert not (tmp_path / "hub").exists()
