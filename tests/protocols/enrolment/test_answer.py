"""What an agent keeps of its enrolment reads back, with every limit on both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocols.consent.rules import default_consent
from protocols.consent.text import MAX_TEXT_CHARS, consent_toml
from protocols.enrolment.answer import MAX_ANSWER_BYTES, EnrolAnswer, build_answer, parse_answer
from protocols.wire.topics import shard_of
from tests.coop_authority import TestAuthority
from tests.protocols.wire.wire_samples import HUB_KEY

ANSWER = EnrolAnswer(
    coop="sunny-street",
    home="h01",
    agent="a-4k2f9c1d",
    shard=shard_of("a-4k2f9c1d"),
    hub_public_key=HUB_KEY.public_key().public_bytes_raw(),
    broker_host="127.0.0.1",
    broker_port=1883,
    tz="Europe/Berlin",
    consent=consent_toml(default_consent("h01")),
)


# The agent's file as release 0.2.0 wrote it.
OLD_FILE = (
    '{"version": 1, "coop": "sunny-street", "home": "h01", "agent": "a-4k2f9c1d", "shard": 41,'
    ' "hub_public_key": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", "broker_host": "127.0.0.1",'
    ' "broker_port": 1883, "tz": "Europe/Berlin", "consent": "home = \\"h01\\"\\nversion = 1\\n"}'
)
ROOT = TestAuthority().root_pem.decode()
SECURE = replace(ANSWER, broker_tls=True, enrol_port=8443, root=ROOT, certificate="pem")


def test_an_answer_reads_back() -> None:
    assert parse_answer(build_answer(ANSWER)) == ANSWER
    assert parse_answer(build_answer(SECURE)) == SECURE


def test_the_file_of_release_0_2_0_is_read_as_one_without_tls() -> None:
    found = parse_answer(OLD_FILE)
    assert replace(found, consent=ANSWER.consent) == ANSWER
    assert not found.broker_tls
    for version in ("0", "4", "99"):
        with pytest.raises(ValueError, match=f"version: {version}, expected 3: agent and hub must be of releases"):
            parse_answer(OLD_FILE.replace('"version": 1', f'"version": {version}'))


@pytest.mark.parametrize(
    "torn",
    [
        replace(SECURE, broker_tls=False),
        replace(SECURE, root=""),
        replace(SECURE, certificate=""),
        replace(SECURE, enrol_port=0),
        replace(SECURE, root="no certificate"),
        replace(ANSWER, broker_tls=True),
    ],
)
def test_tls_is_there_as_a_whole_or_not_at_all(torn: EnrolAnswer) -> None:
    with pytest.raises(ValueError, match=r"root|broker_tls"):
        build_answer(torn)


def test_the_largest_answer_is_read_and_one_byte_more_is_not() -> None:
    text = build_answer(ANSWER)
    assert parse_answer(text.ljust(MAX_ANSWER_BYTES)) == ANSWER
    with pytest.raises(ValueError, match=f"enrolment answer: larger than {MAX_ANSWER_BYTES} bytes"):
        parse_answer(text.ljust(MAX_ANSWER_BYTES + 1))


@pytest.mark.parametrize(
    "edge",
    [
        replace(ANSWER, broker_host="h" * 253),
        replace(ANSWER, broker_port=65535),
        replace(ANSWER, broker_port=1),
        replace(ANSWER, consent=ANSWER.consent.ljust(MAX_TEXT_CHARS)),
    ],
)
def test_the_limits_of_an_answer_are_allowed(edge: EnrolAnswer) -> None:
    assert parse_answer(build_answer(edge)) == edge


@pytest.mark.parametrize(
    ("beyond", "named"),
    [
        (replace(ANSWER, agent="a/b"), "agent: expected 1 to 32 of a-z, 0-9 and -|agent 'a/b'"),
        (replace(ANSWER, hub_public_key=b"short"), "hub_public_key: expected 32 bytes"),
        (replace(ANSWER, hub_public_key=bytes(32)), "hub_public_key: not a usable Ed25519 key"),
        (replace(ANSWER, broker_host=""), "broker_host, broker_port: expected a host and a port"),
        (replace(ANSWER, broker_host="h" * 254), "broker_host: expected a text of at most 253 characters"),
        (replace(ANSWER, broker_port=65536), "broker_port: expected a whole number from 0 to 65535"),
        (replace(ANSWER, broker_port=0), "broker_host, broker_port: expected a host and a port from 1 to 65535"),
        (replace(ANSWER, consent=ANSWER.consent.ljust(MAX_TEXT_CHARS + 1)), "consent: expected a text of at most"),
        (replace(ANSWER, consent="home = 1"), "home"),
        (replace(ANSWER, tz="x" * 65), "tz: expected a text of at most 64 characters"),
        (replace(ANSWER, tz="Mars/Olympus"), "tz: expected a time zone like Europe/Berlin"),
        (replace(ANSWER, shard=64), "shard: expected a whole number from 0 to 63"),
        (replace(ANSWER, shard=(ANSWER.shard + 1) % 64), "shard: does not match the agent"),
        (replace(ANSWER, home="h02"), "consent: home: does not match the home of the answer"),
    ],
)
def test_what_is_wrong_in_an_answer_is_named(beyond: EnrolAnswer, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        build_answer(beyond)
