"""An agent's certificate is renewed after two thirds of its life, tried again for ever, and never lost meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.setup.enrolment import enrol, find_root
from edge_agent.setup.hub_site import fetch_root_document, post_renewal, post_to
from edge_agent.uplink.tls.renewal import RETRY_MAX_S, STOPPED_LOOK_S, RenewalParts, keep_certificate, renew_once
from protocols.enrolment.certificates import Validity
from protocols.enrolment.renewal import build_renewed, parse_renewal
from protocols.enrolment.token import token_text
from protocols.errors import IdentityError
from tests.coop_authority import LIFE_S, TestAuthority
from tests.edge_agent.enrolment_desk import TOKEN
from tests.edge_agent.tls_desk import COOP, NOW_S, TlsDesk, tls_desk

OURS = TestAuthority()
TWO_THIRDS_S = LIFE_S * 2 // 3


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = float(NOW_S)
        self.pauses: list[float] = []
        self.until_s = NOW_S + 2 * LIFE_S

    async def pause(self, for_s: float) -> None:
        self.pauses.append(for_s)
        self.now_s += for_s
        if self.now_s > self.until_s:
            raise asyncio.CancelledError


class Hub:
    """Issues certificates by the test's clock; `problem` makes it refuse."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.asked_at: list[float] = []
        self.problem: Callable[[], str | None] = lambda: None

    def __call__(self, body: bytes) -> bytes:
        self.asked_at.append(self.time.now_s)
        if problem := self.problem():
            raise IdentityError(problem)
        request = parse_renewal(body)
        made = OURS.issue_agent(request.csr, agent=request.agent, now_s=int(self.time.now_s))
        return build_renewed(made.decode()).encode()


def enrolled(folder: Path, time: Time, hub: Hub, *, random: float = 0.0) -> tuple[RenewalParts, list[None]]:
    desk, calls = TlsDesk(OURS), list[None]()
    desk.port = 8443
    made = enrol(folder, token_text(TOKEN), coop=COOP, post=desk.enrol, root=OURS.root_pem.decode())
    assert made.tls is not None
    parts = RenewalParts(
        made.tls,
        made.signer,
        post=hub,
        now=lambda: time.now_s,
        random=lambda: random,
        renewed=lambda: calls.append(None),
        pause=time.pause,
    )
    return parts, calls


async def until_the_end(parts: RenewalParts) -> None:
    with pytest.raises(asyncio.CancelledError):
        await keep_certificate(parts)


@pytest.mark.parametrize("random", [0.0, 0.999])
async def test_it_is_renewed_after_two_thirds_and_not_all_at_once(tmp_path: Path, random: float) -> None:
    time = Time()
    hub = Hub(time)
    parts, calls = enrolled(tmp_path, time, hub, random=random)
    await until_the_end(parts)
    first, second, *_ = hub.asked_at
    due_s = TWO_THIRDS_S + LIFE_S / 60 * random
    assert first - NOW_S == pytest.approx(due_s, abs=2)
    assert second - first == pytest.approx(due_s, abs=2)
    assert len(calls) == len(hub.asked_at)


async def test_while_the_household_wants_nothing_sent_the_hub_is_not_asked(tmp_path: Path) -> None:
    """Not even when the certificate ends; soon after sending is switched on again it is."""
    time = Time()
    hub = Hub(time)
    parts, calls = enrolled(tmp_path, time, hub)
    on_again_s = NOW_S + LIFE_S + 1000
    time.until_s = on_again_s + 600
    await until_the_end(replace(parts, is_stopped=lambda: time.now_s < on_again_s))
    assert [at_s - on_again_s <= STOPPED_LOOK_S for at_s in hub.asked_at] == [True]
    assert len(calls) == 1


async def test_a_hub_that_is_away_is_asked_until_it_is_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Also after the certificate has expired; the log says it once."""
    time = Time()
    hub = Hub(time)
    back_s = NOW_S + LIFE_S + 86400
    hub.problem = lambda: None if time.now_s >= back_s else "the hub cannot be reached"
    parts, calls = enrolled(tmp_path, time, hub, random=0.5)
    time.until_s = back_s + RETRY_MAX_S * 2
    await until_the_end(parts)
    assert len(calls) == 1
    assert parts.tls.validity() == Validity(int(hub.asked_at[-1]), int(hub.asked_at[-1]) + LIFE_S)
    gaps = [later - earlier for earlier, later in zip(hub.asked_at, hub.asked_at[1:], strict=False)]
    assert gaps[0] < gaps[2] < gaps[4]
    assert max(gaps) <= RETRY_MAX_S * 1.5
    said = [each.getMessage() for each in caplog.records if "was not renewed" in each.getMessage()]
    assert said == ["the certificate was not renewed: the hub cannot be reached; it is tried again"]


async def test_what_the_hub_sends_instead_is_not_kept(tmp_path: Path) -> None:
    time = Time()
    parts, calls = enrolled(tmp_path, time, Hub(time))
    foreign = TestAuthority("foreign")

    def from_elsewhere(body: bytes) -> bytes:
        request = parse_renewal(body)
        return build_renewed(foreign.issue_agent(request.csr, agent=request.agent, now_s=NOW_S).decode()).encode()

    for post, words in (
        (from_elsewhere, "not issued by the co-op's authority"),
        (lambda _body: b"{}", "cannot be used"),
        (lambda _body: b"x" * 20_000, "larger than"),
    ):
        problem = await renew_once(replace(parts, post=post))
        assert problem is not None
        assert words in problem
        assert "\n" not in problem
    assert parts.tls.validity() == Validity(NOW_S, NOW_S + LIFE_S)
    assert calls == []


async def test_over_tls_it_needs_no_certificate_of_its_own(tmp_path: Path) -> None:
    """So one that has expired, or whose key was lost, can still be renewed."""
    desk = TlsDesk(OURS)
    with tls_desk(tmp_path, desk):
        root = find_root(token_text(TOKEN), coop=COOP, fetch=lambda: fetch_root_document(desk.url))
        data = tmp_path / "data"
        made = enrol(data, token_text(TOKEN), coop=COOP, post=post_to(desk.url, root=root), root=root)
        assert made.tls is not None
        (data / "tls.key").unlink()
        desk.now_s += 90 * 86400
        post = post_renewal("127.0.0.1", made.enrolment.enrol_port, root=root)
        parts = RenewalParts(
            *(made.tls, made.signer, post), now=lambda: float(desk.now_s), random=lambda: 0.0, renewed=lambda: None
        )
        assert await renew_once(parts) is None
    assert made.tls.validity() == Validity(desk.now_s, desk.now_s + LIFE_S)
    assert "cannot be reached" in str(await renew_once(parts)), "the hub is away now"
