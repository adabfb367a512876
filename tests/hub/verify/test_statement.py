"""The stand-alone script recomputes real statements of every rule and names the place of whatever was changed."""

import argparse
import copy
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.core.ledger.entries import Entry, Posting
from hub.core.ledger.signed_document import sign_document
from hub.core.payments.payable import payable_amounts
from hub.core.payments.tax_terms import TaxRates, TaxStatus, TaxTerms
from hub.core.rules.rulebook import Rule
from hub.core.settlement.period import settle
from hub.core.settlement.pool_series import LEAST_HOMES, pool_series
from hub.core.settlement.prepared_readings import Readings
from hub.core.statements.document import state_month
from hub.core.statements.month import SettledDay
from hub.statements.script import NAME, script_text
from hub.verify.statement import rate_ppm, rule_version
from hub.verify.statement_days import recompute
from tests.hub.core.settlement.settlement_worlds import METHODS, World, worlds
from tests.hub.core.statements.statement_street import (
    HUB_KEY,
    HUB_KEY_HEX,
    Street,
    bills_of,
    book,
    make_readings,
    make_rule,
    make_street,
    month_of,
    street_members,
)

DAYS = ("2026-03-29", "2026-03-30", "2026-03-31")  # the clocks go forward on the first
TERMS = TaxTerms(
    ("Sunny Street eG",),
    (TaxRates("2026-01-01", 200_000, 130_000, 100_000), TaxRates("2026-03-31", 190_000, 130_000, 100_000)),
    (TaxStatus("a", "2026-01-01", "reverse_charge"),),
    {"self_billing": "Self-billing", "reverse_charge": "Reverse charge"},
)
relaxed = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@cache
def loaded_script() -> ModuleType:
    """The script as members get it, run in this process."""
    script = ModuleType("verify_statement")
    exec(compile(script_text(), NAME, "exec"), script.__dict__)
    return script


def called(options: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """What the script's command line returns, prints and complains of."""
    with ExitStack() as stack:
        out, complaint = (
            stack.enter_context(redirect(io.StringIO())) for redirect in (redirect_stdout, redirect_stderr)
        )
        stack.enter_context(chdir(folder))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(sys, "argv", [NAME, *options])
        code = loaded_script().main()
        return code, out.getvalue(), complaint.getvalue()


def called_alone(options: Sequence[str], folder: Path) -> tuple[int, str, str]:
    """The same in a Python of its own that knows nothing of this project."""
    (folder / NAME).write_text(script_text(), encoding="utf-8")
    command = [sys.executable, "-I", NAME, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def run_script(
    folder: Path, statement: Any, own: Any, pool: Any, *, key: str = HUB_KEY_HEX, said: Sequence[str] = (),
    alone: bool = False, **more: Any,
) -> tuple[int, str]:  # fmt: skip
    """The exit status of the script and the line it prints, or the lines if everything is right."""
    documents = {"statement": statement, "readings": own, "pool": pool, **more}
    for name, document in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    options = [*said, *(part for name in more for part in (f"--{name}", f"{name}.json"))]
    given = ["statement.json", "readings.json", "pool.json", "--hub-key", key, *options]
    code, out, complaint = (called_alone if alone else called)(given, folder)
    first, *notes = (out + complaint).splitlines()
    assert all(note.startswith("  ") for note in notes)
    assert not (code and notes), notes
    return code, "\n".join([first, *notes])


def street_of(method: str, *, seed: int = 3, gaps: float = 0.03, count: int = 10, **rule: Any) -> Street:
    members = street_members(count)
    readings = {day: make_readings(members, day, seed=seed + n, gaps=gaps) for n, day in enumerate(DAYS)}
    return make_street(readings, make_rule(method, members, seed=seed, **rule), fee_nano=2_503_333_333)


def few_homes(day: SettledDay, pool: dict[str, Any], member: str) -> int:
    """In how many intervals a member takes part whose numbers are withheld."""
    here = day.settled.present[:, day.settled.members.index(member)].tolist()
    return sum(there and slot["buy"] is None for there, slot in zip(here, pool["slots"], strict=True))


def signed_statement(street: Street, member: str) -> dict[str, Any]:
    bills = bills_of(street, member, TERMS)
    statement = state_month(street.month, member, name=member.upper(), made_at="2026-04-07T10:00Z", bills=bills)
    return signed_again(statement)


def signed_again(statement: Any) -> dict[str, Any]:
    """The statement and its payment as the hub signs them."""
    payment = payable_amounts(statement, [])
    signed = {**sign_document(statement, HUB_KEY), "payment": sign_document(payment, HUB_KEY)}
    return json.loads(json.dumps(signed))


def test_the_script_is_short_and_stands_alone() -> None:
    text = script_text()
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("aggregate", [1, 4])
def test_statements_of_every_rule_are_right(tmp_path: Path, method: str, aggregate: int) -> None:
    street = street_of(method, aggregate=aggregate, percent=aggregate == 4)
    whole = {"priority"}  # some of its steps are withheld in intervals that are shown
    for member in street.days[0].settled.members[::4]:
        signed = signed_statement(street, member)
        code, said = run_script(tmp_path, signed, street.own(member), street.pool(auditor=True))
        assert (code, "only within bounds" in said) == (0, False), said
        code, said = run_script(tmp_path, signed, street.own(member), street.pool())
        assert code == 0, said
        pools = street.pool()["days"]
        few = sum(few_homes(day, pool, member) for day, pool in zip(street.days, pools, strict=True))
        assert method in whole or (f"within bounds: {few} intervals, withheld" if few else "intervals") in said, said


@pytest.mark.parametrize(("method", "aggregate", "netting"), [("static", 4, "60min"), ("proportional", 1, "15min")])
def test_import_and_export_netted_in_time_are_recomputed(
    tmp_path: Path, method: str, aggregate: int, netting: str
) -> None:
    street = street_of(method, aggregate=aggregate, netting=netting)
    member = street.days[0].settled.members[0]
    signed = signed_statement(street, member)
    code, said = run_script(tmp_path, signed, street.own(member), street.pool(auditor=True))
    assert code == 0, said
    gross = street_of(method, aggregate=aggregate)
    totals = [
        sum(
            day["totals"]["demand"]
            for day in json.loads(json.dumps(signed_statement(each, member)))["document"]["days"]
        )
        for each in (street, gross)
    ]
    assert totals[0] < totals[1], "netted, the member draws less"
    own = street.own(member)
    place = next(n for n, row in enumerate(own["readings"]) if row[1] and row[2])
    own["readings"][place][1] += 1
    code, said = run_script(tmp_path, signed, own, street.pool(auditor=True))
    assert code == 1, said


@pytest.mark.parametrize("of", ["none", "15min", "60min"])
def test_a_member_netted_otherwise_than_the_others_is_recomputed(tmp_path: Path, of: str) -> None:
    first, second, *_ = street_members(10)
    street = street_of("static", aggregate=4, netting="60min" if of != "60min" else "none", netting_of={first: of})
    for member in (first, second):
        signed = signed_statement(street, member)
        code, said = run_script(tmp_path, signed, street.own(member), street.pool(auditor=True))
        assert code == 0, said
    text = signed["document"]["rules"].popitem()[1]
    assert json.loads(text)["netting_of"] == {first: of}


@pytest.mark.parametrize("method", METHODS)
@given(data=st.data())
@settings(relaxed, max_examples=25)
def test_each_member_finds_the_own_share_of_any_slot(method: str, data: st.DataObject) -> None:
    world: World = data.draw(worlds(method, slots=20))
    percent = data.draw(st.dictionaries(st.sampled_from(world.members), st.integers(1, 100)))
    surplus, demand = (np.where(world.present, wh, -1) for wh in (world.surplus_wh, world.demand_wh))
    rule = Rule(method, world.params, participation_percent=percent)
    settled = settle(Readings(world.members, tuple(range(20)), surplus, demand), rule)
    series = pool_series(settled, coop="c", day="2026-03-21", run="r")
    document = json.loads(rule.canonical())
    for t, (whole, shown) in enumerate(
        zip(series.for_auditor("s")["slots"], series.for_members()["slots"], strict=True)
    ):
        for i, member in enumerate(world.members):
            if not settled.present[t, i]:
                continue
            own = (int(settled.surplus_wh[t, i]), int(settled.demand_wh[t, i]))
            stated = (int(settled.alloc_wh[t, i]), int(settled.sold_wh[t, i]))
            assert recompute(document, member, json.loads(json.dumps(whole)), *own) == stated
            public = recompute(document, member, json.loads(json.dumps(shown)), *own)
            assert all(found in (None, right) for found, right in zip(public, stated, strict=True))
            if settled.present[t].sum() < LEAST_HOMES:
                assert public == (None, None)


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document that holds a plain value."""
    if isinstance(part, dict):
        return [place for name, value in part.items() for place in places(value, (*path, name))]
    if isinstance(part, list):
        return [place for i, value in enumerate(part) for place in places(value, (*path, i))]
    return [path]


def change(document: Any, path: tuple[Any, ...]) -> None:
    for step in path[:-1]:
        document = document[step]
    value = document[path[-1]]
    if isinstance(value, bool):
        document[path[-1]] = not value
    elif isinstance(value, int):
        document[path[-1]] = value + 1
    elif isinstance(value, str):
        document[path[-1]] = value[:-1] + ("0" if value[-1:] != "0" else "1")
    else:
        document[path[-1]] = 1


@pytest.fixture(scope="module")
def street() -> Street:
    return street_of("proportional")


def test_the_script_runs_by_itself(tmp_path: Path, street: Street) -> None:
    signed, own, pool = signed_statement(street, "a"), street.own("a"), street.pool()
    options: dict[str, Any] = {"before": signed}
    whole = run_script(tmp_path, signed, own, pool, alone=True, **options)
    assert whole[0] == 0
    assert whole == run_script(tmp_path, signed, own, pool, **options)
    broken = copy.deepcopy(signed)
    broken["document"]["totals"]["sold"] += 1
    for files, code in (((broken, own, pool), 1), ((7, own, pool), 1), ((signed, {}, pool), 1)):
        assert run_script(tmp_path, *files, alone=True)[0] == code
    assert run_script(tmp_path, signed, own, pool, alone=True, key="zz")[0] == 2


def test_any_changed_value_of_a_statement_is_found(tmp_path: Path, street: Street) -> None:
    """A sample through the script; the signature covers every byte besides."""
    signed, own, pool = signed_statement(street, "a"), street.own("a"), street.pool()
    assert run_script(tmp_path, signed, own, pool)[0] == 0
    everywhere = places(signed)
    rng = np.random.default_rng(5)
    for i in rng.choice(len(everywhere), 25, replace=False):
        broken = copy.deepcopy(signed)
        change(broken, everywhere[i])
        code, said = run_script(tmp_path, broken, own, pool)
        assert (code, said.count("\n")) == (1, 0), (everywhere[i], said)


LIES = [
    (("days", 1, "received", 40), "day 2026-03-30 slot"),
    (("days", 1, "sold", 40), "day 2026-03-30 slot"),
    (("days", 0, "demand", 40), "readings"),
    (("days", 2, "totals", "sold"), "day 2026-03-31 totals"),
    (("days", 2, "money", "credit_nano"), "day 2026-03-31 money"),
    (("days", 0, "entries", 0, "entry"), "day 2026-03-29"),
    (("days", 0, "entries", 0, "proof", 0), "day 2026-03-29 entry"),
    (("days", 0, "entries", 1, "place"), "day 2026-03-29 entry"),
    (("days", 0, "root", "document", "root"), "day 2026-03-29 root"),
    (("days", 0, "root", "document", "pool", "members"), "day 2026-03-29 root"),
    (("days", 0, "run", "key"), "day 2026-03-29 rule and run"),
    (("totals", "received"), "totals"),
    (("money", "debit_cent"), "money"),
    (("money", "benefit_nano"), "money"),
    (("tax", 0, "taxes", 1, "tax_cent"), "tax invoice I-2026-03-M1-0002 taxes"),
    (("tax", 0, "gross_cent"), "tax invoice I-2026-03-M1-0002 sums"),
    (("tax", 0, "due_cent"), "tax invoice I-2026-03-M1-0002 due"),
    (("tax", 0, "lines", 1, "net_cent"), "tax invoice I-2026-03-M1-0002 received"),
    (("tax", 0, "lines", 2, "net_cent"), "tax invoice I-2026-03-M1-0002 fee"),
    (("tax", 1, "lines", 0, "net_cent"), "tax self-billed credit note C-2026-03-M1-0002 sold"),
    (("days_before", 0), "days_before"),
    (("billed",), "billed"),
    (("state",), "state"),
    (("member", "id"), "member"),
]


@pytest.mark.parametrize(("path", "place"), LIES, ids=str)
def test_a_lie_that_the_hub_itself_signs_is_found(
    tmp_path: Path, street: Street, path: tuple[Any, ...], place: str
) -> None:
    statement = signed_statement(street, "a")["document"]
    change(statement, path)
    code, said = run_script(tmp_path, signed_again(statement), street.own("a"), street.pool())
    assert code == 1
    assert place in said


def test_a_left_out_entry_or_another_rule_is_found(tmp_path: Path, street: Street) -> None:
    statement = signed_statement(street, "a")["document"]
    version = statement["days"][0]["rule"]
    cut, cheap = copy.deepcopy(statement), copy.deepcopy(statement)
    del cut["days"][1]["entries"][0]
    cheap["rules"][version] = cheap["rules"][version].replace('"buy":185432', '"buy":185433')
    for lie, place in ((cut, "day 2026-03-30 entries"), (cheap, "day 2026-03-29 rule version")):
        code, said = run_script(tmp_path, signed_again(lie), street.own("a"), street.pool())
        assert code == 1
        assert said.startswith(place)


def test_a_changed_reading_or_pool_series_is_found_with_its_slot(tmp_path: Path, street: Street) -> None:
    signed, own, pool = signed_statement(street, "a"), street.own("a"), street.pool()
    for row in (30, 150):
        broken = copy.deepcopy(own)
        broken["readings"][row][2] = (broken["readings"][row][2] or 0) + 1
        broken["readings"][row][1] = broken["readings"][row][1] or 0
        code, said = run_script(tmp_path, signed, broken, pool)
        assert code == 1
        assert f"slot {broken['readings'][row][0]} " in said
    slot = next(i for i, each in enumerate(pool["days"][1]["slots"]) if each.get("buy"))
    pool["days"][1]["slots"][slot]["buy"][0][0] += 1
    code, said = run_script(tmp_path, signed, own, pool)
    assert (code, said.split(":")[0]) == (1, "day 2026-03-30 pool series")


def test_a_reading_the_hub_never_had_is_found(tmp_path: Path, street: Street) -> None:
    own = street.own("a")
    row = next(row for row in own["readings"] if None in row)
    row[1], row[2] = row[1] or 0, row[2] or 120
    code, said = run_script(tmp_path, signed_statement(street, "a"), own, street.pool())
    assert code == 1
    assert f"slot {row[0]} " in said


def test_rules_and_rates_that_the_member_knows_are_options(tmp_path: Path, street: Street) -> None:
    signed, own, pool = signed_statement(street, "a"), street.own("a"), street.pool()
    version = signed["document"]["days"][0]["rule"]
    known = ["--rule", version, "--rule", "00" * 32, "--tax-rate", "19.5"]
    assert run_script(tmp_path, signed, own, pool, said=known)[0] == 0
    code, said = run_script(tmp_path, signed, own, pool, said=["--rule", "00" * 32])
    assert (code, said) == (1, f"day {DAYS[0]} rule: {version} is not among those given with --rule")


@pytest.mark.parametrize(
    "said", [["--rule", ""], ["--rule", "ab"], ["--tax-rate", "nan"], ["--tax-rate", "-5"], ["--tax-rate", "101"]]
)
def test_an_option_that_would_fit_anything_or_nothing_is_refused(
    said: list[str],
) -> None:
    kind = {"--rule": rule_version, "--tax-rate": rate_ppm}[said[0]]
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        kind(said[1])


def older_form(signed: dict[str, Any], form: str) -> dict[str, Any]:
    """The statement as an earlier release wrote it, as far as the script reads it."""
    document = {
        name: signed["document"][name] for name in ("coop", "member", "month", "totals", "money", "tax", "days")
    }
    document = json.loads(json.dumps(document)) | {"format": form}
    for bill in document["tax"]:
        bill["words"] = ["in the words of that release"]
    return document


@pytest.mark.parametrize("form", ["commonwatt-statement-1", "commonwatt-statement-2"])
def test_the_bills_of_an_earlier_release_are_followed(tmp_path: Path, street: Street, form: str) -> None:
    """They used to be refused, so that a bill that replaces one of them could not be checked at all."""
    now, own, pool = signed_statement(street, "a")["document"], street.own("a"), street.pool()
    before = older_form({"document": now}, form)
    code, said = run_script(tmp_path, signed_again(now), own, pool, before=sign_document(before, HUB_KEY))
    assert (code, "its bills and totals were compared, its days were not" in said) == (0, True), said
    before["tax"][0] |= {"number": "I-2026-03-M1-0001", "gross_cent": 7}
    code, said = run_script(tmp_path, signed_again(now), own, pool, before=sign_document(before, HUB_KEY))
    assert (code, "does not replace the document in --before" in said) == (1, True), said
    replaced = {name: before["tax"][0][name] for name in ("number", "date", "gross_cent")}
    now["tax"][0] |= {"replaces": replaced, "due_cent": now["tax"][0]["due_cent"] - 7}
    before["totals"]["sold"] += 5
    code, said = run_script(tmp_path, signed_again(now), own, pool, before=sign_document(before, HUB_KEY))
    assert code == 0, said
    assert f"changed since: sold was {before['totals']['sold']}, is {now['totals']['sold']}" in said
    assert run_script(tmp_path, signed_again(now), own, pool)[0] == 2, "it cannot be checked without the earlier one"
    other = before | {"member": {"id": "b", "name": "B"}}
    assert run_script(tmp_path, signed_again(now), own, pool, before=sign_document(other, HUB_KEY))[0] == 1
    assert run_script(tmp_path, signed_again(now), own, pool, before={"document": before, "signature": ""})[0] == 1


def test_another_key_or_a_broken_file_is_one_line(tmp_path: Path, street: Street) -> None:
    signed, own, pool = signed_statement(street, "a"), street.own("a"), street.pool()
    code, said = run_script(tmp_path, signed, own, pool, key="11" * 32)
    assert (code, "not signed by the hub's key" in said) == (1, True)
    assert run_script(tmp_path, signed, own, pool, key="zz")[0] == 2
    for broken in ([], {}, {"document": []}, {"document": {"format": "commonwatt-statement-3"}}, 7, None):
        assert run_script(tmp_path, broken, own, pool)[0] == 1
    code, said = run_script(tmp_path, {"document": {"format": "commonwatt-statement-1"}}, own, pool)
    assert (code, "check it with the script of that release" in said) == (2, True)
    assert run_script(tmp_path, signed, {"member": "a"}, pool)[0] == 1


def test_a_street_of_four_homes_is_checked_within_bounds_only(tmp_path: Path) -> None:
    street = street_of("equal", count=4)
    member = street.days[0].settled.members[0]
    signed = signed_statement(street, member)
    code, said = run_script(tmp_path, signed, street.own(member), street.pool())
    assert (code, "only within bounds" in said) == (0, True)
    code, said = run_script(tmp_path, signed, street.own(member), street.pool(auditor=True))
    assert (code, "only within bounds" in said) == (0, False)


def test_entries_of_the_funds_stand_beside_those_of_settlement(tmp_path: Path) -> None:
    street = street_of("proportional")
    day = street.days[0]
    fee = (Posting("member:a:money", -5_000, "fee"), Posting("coop:fees", 5_000, "fee"))
    row = book(Entry("nano", day.day, "fund-1", "a", fee, ""), after=day.booked[-1])
    days = [replace(day, booked=[*day.booked, row]), *street.days[1:]]
    month = month_of(days, "2026-03", before=street.month.before)
    signed = signed_statement(Street(month, street.readings, tuple(days)), "a")
    assert len(signed["document"]["days"][0]["entries"]) == 3
    pool = Street(month, street.readings, tuple(days)).pool()
    assert run_script(tmp_path, signed, street.own("a"), pool)[0] == 0


def test_corrected_months_and_memberships_within_a_day_are_right(tmp_path: Path) -> None:
    members = street_members(7)
    late = {day: make_readings(members, day, seed=n) for n, day in enumerate(DAYS)}
    early = {day: make_readings(members, day, seed=9 - n, gaps=0.2) for n, day in enumerate(DAYS[:2])}
    joined = late[DAYS[0]]
    late[DAYS[0]] = Readings(
        joined.members, joined.slots, joined.surplus_wh, joined.demand_wh, {"a": (joined.slots[30], None)}
    )
    street = make_street(late, make_rule("static_rounds", members, seed=4), first=early, kind="R1")
    for member in ("a", "Z"):
        signed = signed_statement(street, member)
        assert len(signed["document"]["days"][0]["entries"]) == 4
        code, said = run_script(tmp_path, signed, street.own(member), street.pool())
        assert code == 0, said
