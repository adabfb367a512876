"""How each table of the store is protected: logged row by row, compared with signed bytes, or a hint with a reason.

A new table must be named here; tests/hub/verify/test_changed_columns.py fails until it is. Whoever logs an old table,
or logs it differently, brings a migration too: rows are taken over into the log only when a step is applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class LoggedTable:
    """A table whose rows are in the log.

    `left_out` columns are not part of a row's digest; `job_counts` are left out of rows whose role is `job`; `says`
    columns are repeated in the log in clear, so that their earlier values stay known.
    """

    left_out: frozenset[str] = field(default_factory=frozenset)
    job_counts: frozenset[str] = field(default_factory=frozenset)
    says: tuple[str, ...] = ()


_WHOLE: Final = LoggedTable()
LOGGED: Final[Mapping[str, LoggedTable]] = MappingProxyType(
    {
        "coop": _WHOLE,
        "member": LoggedTable(says=("is_board",)),
        "home": _WHOLE,
        "home_adult": _WHOLE,
        "agent_objection": _WHOLE,
        "agent_objection_decision": _WHOLE,
        "erasure": _WHOLE,
        "person_erasure": _WHOLE,
        "agent": _WHOLE,
        "measure_source": _WHOLE,
        "invite": _WHOLE,
        "sign_in": _WHOLE,
        "session": _WHOLE,
        # The sealed bytes have their hash in the row; `verify` compares the two.
        "message": LoggedTable(left_out=frozenset({"sealed"})),
        "access_log": LoggedTable(job_counts=frozenset({"at", "fields", "rows", "count"})),
        "appliance": _WHOLE,
        "prompt": _WHOLE,
        "forecast": _WHOLE,
        "rule": _WHOLE,
        "rule_proposal": LoggedTable(says=("rule_hash", "valid_from_day", "proposed_by", "proposed_at")),
        "rule_withdrawal": LoggedTable(says=("proposal", "withdrawn_by", "withdrawn_at")),
        "rule_adoption": LoggedTable(says=("rule_hash", "valid_from_day", "adopted_by", "adopted_at")),
        "attestation": _WHOLE,
        "settled_through": _WHOLE,
        "objection": _WHOLE,
        "objection_decision": _WHOLE,
        "account": _WHOLE,
        "mandate": _WHOLE,
        "mandate_end": _WHOLE,
        "finding": _WHOLE,
        "finding_closed": _WHOLE,
        "finding_decision": _WHOLE,
        "connection_agreement": _WHOLE,
        "meter_notice": _WHOLE,
        "map_file": _WHOLE,
        "map_proposal": LoggedTable(says=("follows", "digests", "proposed_by", "proposed_at")),
        "map_withdrawal": LoggedTable(says=("proposal", "withdrawn_by", "withdrawn_at")),
        "map_release": LoggedTable(says=("serial", "proposal", "released_by", "released_at")),
        "member_change": LoggedTable(says=("made_by", "kind", "member", "subject")),
        "looked_through": _WHOLE,
        "notice_choice": _WHOLE,
        "restore": LoggedTable(says=("checked_by",)),
        "street_day": _WHOLE,
        "street_total": _WHOLE,
        "run_group": _WHOLE,
    }
)

COMPARED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reading": "the homes' signed messages",
        "long_interval": "the homes' signed messages",
        "period_sum": "the readings",
        "period_home": "the sums and the readings",
        "device": "the homes' signed messages",
        "consent": "the homes' signed messages",
        "chain_head": "the messages",
        "run": "the signed day roots",
        "entry": "the chain of entries and the signed day roots",
        "agent_clock": "the enrolled agents; what they say of their clocks is a hint",
        "cut_off": "the enrolled agents; who is cut off is a matter of the moment",
        "migration": "the steps this program brings",
        "row_log": "its own chain, whose head the hub signs",
        "row_log_head": "the hub's signature",
        "row_log_waiting": "nothing: it is empty between two transactions",
    }
)

HINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "access_log.at": "in lines of the hub's own jobs: when the job last read; such a line counts a whole day",
        "access_log.fields": "in lines of the hub's own jobs: which values the job read on that day",
        "access_log.rows": "in lines of the hub's own jobs: how many values the job read on that day",
        "access_log.count": "in lines of the hub's own jobs: how often the job read on that day",
        "refusal.agent": "counts attempts from outside that were refused; nothing is computed from it",
        "refusal.reason": "as above",
        "refusal.count": "as above",
        "refusal.last_at": "as above",
        "refusal.detail": "as above",
        "agent_clock.told_at": "what an agent last said of its clock, shown to the board; nothing is computed from it",
        "agent_clock.ahead_s": "as above",
        "agent_clock.state": "as above",
        "cut_off.at": "which agents send too much at the moment; it changes no reading and no money",
        "cut_off.messages": "as above",
        "notice.id": "which mail waits or was sent; a mail says nothing that is not on the member's own pages",
        **{
            f"notice.{column}": "as above"
            for column in (
                *("kind", "member", "about", "facts", "secret", "made_at", "last_try_at", "next_try_at", "tries"),
                *("state", "settled_at", "answer"),
            )
        },
        "mail_bounce.address": "which addresses refuse mail; the addresses members have are logged",
        "mail_bounce.at": "as above",
        "mail_bounce.answer": "as above",
        "weather.hour_s": "a forecast from outside; it enters forecasts and prompts, no energy and no money",
        "weather.issued_at": "as above",
        "weather.temperature_c": "as above",
        "weather.radiation_w_m2": "as above",
        "weather.wind_m_s": "as above",
        "job.name": "when a job is due next; a job that is late is done late, and a job done twice changes nothing",
        "job.due_at": "as above",
        "job.last_run_at": "as above",
        "job.last_error": "as above",
        **{f"job_run.{column}": "as above" for column in ("name", "due_at", "began_at", "ended_at", "worker", "error")},
        "lease.name": "which process does which work now; what a process writes is checked as every other write is",
        **{f"lease.{column}": "as above" for column in ("holder", "token", "until_ms")},
        "process.id": "which processes of the hub run now and how they do, shown to the board",
        **{
            f"process.{column}": "as above"
            for column in ("role", "machine", "started_ms", "heard_ms", "wants_shards", "agents_ms", "facts")
        },
        "outgoing.id": "messages to homes, signed, not encrypted; an agent takes nothing that the hub did not sign",
        "kept_part.day": "members' parts of settled days, sealed with the hub's secret: an altered one is made again",
        **{f"kept_part.{column}": "as above" for column in ("name", "part", "content")},
        **{f"outgoing.{column}": "as above" for column in ("shard", "topic", "sealed", "made_ms")},
    }
)
"""Columns whose change `verify` does not notice, each with the reason."""
