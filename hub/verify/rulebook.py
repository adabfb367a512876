"""Checks that each rule was adopted: by whom, when, and that it holds only from a later day, by the log of rows."""

import json

from hub.storage.contract import AttestationStore
from hub.storage.rule_records import StoredRule, day_of
from hub.verify.check_result import CheckResult
from hub.verify.people import ADOPTION
from hub.verify.rows import RowHistory

LATEST_LINE_S = 600
"""An adoption's line is written in its own transaction; this much later at most, by a clock that was set meanwhile."""


async def check_adoptions(store: AttestationStore, history: RowHistory, found: CheckResult, *, tz: str) -> None:
    """Check every rule. That whoever adopted it was on the board then is checked with all decisions of people."""
    for number, rule in enumerate(await store.journal_rules()):
        if problem := _problem_of(rule, history, tz=tz, is_first=number == 0):
            found.note(f"rule {rule.position}: {problem}")


def _problem_of(rule: StoredRule, history: RowHistory, *, tz: str, is_first: bool) -> str | None:
    if rule.adopted is None:
        return "nothing says who adopted it, and when"
    if not rule.is_adopted:
        return f"the rule adopted is {rule.adopted[0][:12]} from {rule.adopted[1]}"
    written = history.first.get((ADOPTION, json.dumps([rule.position])))
    if written is None:
        return "the log of rows has no line of its adoption"
    if not rule.adopted_by:
        return None if is_first else "it counts as the founding act, and only a store's first rule is that"
    _, at = written
    if not at - LATEST_LINE_S <= rule.adopted_at <= at:
        return f"its adoption says {day_of(rule.adopted_at, tz)}, and the hub wrote it on {day_of(at, tz)}"
    if rule.valid_from_day <= (day := day_of(at, tz)):
        return f"it holds from {rule.valid_from_day} and was adopted on {day} only"
    return None
