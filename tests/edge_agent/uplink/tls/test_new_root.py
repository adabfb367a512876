"""An agent follows its co-op to a new root, and nobody else to any."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent.setup.enrolment import enrol
from edge_agent.uplink.moving.looking import LOOK_MAX_S
from edge_agent.uplink.tls.files import TlsFiles
from edge_agent.uplink.tls.new_root import RootParts, keep_root, look_once
from edge_agent.uplink.tls.renewal import RenewalParts
from hub.trust.authority import Authority
from hub.trust.certificates import make_root, make_working, new_key
from protocols.enrolment.renewal import build_renewed, parse_renewal
from protocols.enrolment.token import token_text
from protocols.enrolment.trust_root import seal_root
from protocols.errors import IdentityError
from protocols.hub_keys import HubKeyCertificate, HubSigner, seal_certificate
from tests.coop_authority import BEGINS_S, TestAuthority
from tests.edge_agent.enrolment_desk import HUB_KEY, TOKEN
from tests.edge_agent.tls_desk import COOP, NOW_S, TlsDesk

OURS = TestAuthority()
LATER_S = NOW_S + 100
IDENTITY = HubSigner.of_one_key(HUB_KEY)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def authority(*, begins_s: int) -> Authority:
    key, working = new_key(), new_key()
    root = make_root(COOP, key, now_s=begins_s)
    return Authority(root, make_working(root, key, coop=COOP, public=working.public_key(), now_s=begins_s), working)


NEXT = authority(begins_s=LATER_S)


def shown(made: Authority = NEXT, *, signer: HubSigner = IDENTITY, coop: str = COOP) -> bytes:
    return seal_root(coop, root_pem=made.root_pem.decode(), signer=signer).encode()


def certified() -> HubSigner:
    """A hub key with a good certificate, as a thief of the hub's computer has it."""
    public_key = STRANGER.public_key().public_bytes_raw()
    held = HubKeyCertificate(COOP, 1, public_key, NOW_S, NOW_S + 1000, NOW_S)
    return HubSigner(STRANGER, IDENTITY.identity, seal_certificate(held, HUB_KEY))


class Home:
    """An enrolled agent under the first root, whose hub certifies under `issuer`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        desk = TlsDesk(OURS)
        desk.port = 8443
        made = enrol(folder, token_text(TOKEN), coop=COOP, post=desk.enrol, root=OURS.root_pem.decode())
        assert made.tls is not None
        self.tls, self.enrolment = made.tls, made.enrolment
        self.issuer: Authority | None = NEXT
        self.renewed: list[None] = []
        renewal = RenewalParts(
            self.tls,
            made.signer,
            post=self.post,
            now=lambda: float(LATER_S),
            random=lambda: 0.0,
            renewed=lambda: self.renewed.append(None),
        )
        self.parts = RootParts(
            renewal,
            identity=made.enrolment.hub_public_key,
            fetch=shown,
            is_out_of_reach=lambda: True,
        )

    def post(self, body: bytes) -> bytes:
        if self.issuer is None:
            raise IdentityError("the hub cannot be reached")
        asked = parse_renewal(body)
        return build_renewed(self.issuer.issue_agent(asked.csr, agent=asked.agent, now_s=LATER_S).decode()).encode()

    def look(self, fetch: Callable[[], bytes]) -> str | None:
        return asyncio.run(look_once(replace(self.parts, fetch=fetch)))

    def started_again(self) -> TlsFiles:
        known = self.enrolment
        return TlsFiles(self.folder, agent=known.agent, root=known.root, first=known.certificate)


def test_a_new_root_is_followed_with_a_certificate_under_it_and_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.look(shown) is None
    assert home.tls.root == NEXT.root_pem.decode()
    assert home.tls.validity() is not None, "under the new root"
    assert home.renewed == [None]
    assert home.started_again().root == NEXT.root_pem.decode()
    assert home.started_again().validity() == home.tls.validity()
    assert home.look(shown) is None
    assert home.renewed == [None], "the same root again changes nothing"


def test_a_certificate_that_was_not_had_at_once_is_asked_for_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.issuer = None
    assert "cannot be reached" in str(home.look(shown))
    assert home.tls.root == NEXT.root_pem.decode()
    assert home.tls.validity() is None
    home.issuer = NEXT
    assert home.look(shown) is None
    assert home.tls.validity() is not None


@pytest.mark.parametrize(
    "fetch",
    [
        lambda: shown(signer=HubSigner.of_one_key(STRANGER)),
        lambda: shown(signer=certified()),
        lambda: shown(coop="mond"),
        lambda: shown(authority(begins_s=BEGINS_S - 1)),
        lambda: shown().replace(b'"version": 3', b'"version": 4'),
        lambda: b"x" * 100_000,
        lambda: b"",
    ],
    ids=["stranger", "a hub key, perhaps stolen", "other co-op", "older root", "version", "too large", "nothing"],
)
def test_nobody_else_leads_it_anywhere(tmp_path: Path, fetch: Callable[[], bytes]) -> None:
    home = Home(tmp_path)
    before = home.tls.validity()
    assert "not taken" in str(home.look(fetch))
    assert (home.tls.root, home.tls.validity()) == (OURS.root_pem.decode(), before)
    assert not (tmp_path / "root.crt").exists()


def test_a_damaged_file_falls_back_to_the_root_of_the_enrolment(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.look(shown) is None
    (tmp_path / "root.crt").write_bytes(b"-----BEGIN CERTIFICATE-----\n")
    assert home.started_again().root == OURS.root_pem.decode()


def test_it_looks_only_while_the_broker_is_out_of_reach_and_ever_less_often(tmp_path: Path) -> None:
    home, pauses, asked = Home(tmp_path), list[float](), list[None]()
    connected = [True, True, *[False] * 12]

    async def pause(for_s: float) -> None:
        pauses.append(for_s)
        if len(pauses) > len(connected):
            raise asyncio.CancelledError

    def out_of_reach() -> bytes:
        asked.append(None)
        raise IdentityError("the hub cannot be reached")

    parts = replace(
        home.parts,
        renewal=replace(home.parts.renewal, random=lambda: 0.5),
        fetch=out_of_reach,
        pause=pause,
        is_out_of_reach=lambda: not connected[len(pauses) - 1],
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_root(parts))
    assert len(asked) == 12
    assert pauses[:3] == [15.0, 15.0, 15.0]
    assert pauses[3:] == sorted(pauses[3:])
    assert pauses[-1] == LOOK_MAX_S


@pytest.mark.parametrize(("part", "first_s"), [(0.0, 7.5), (0.25, 11.25), (1.0, 22.5)])
def test_homes_that_lost_one_broker_together_do_not_look_together(tmp_path: Path, part: float, first_s: float) -> None:
    home, pauses = Home(tmp_path), list[float]()

    async def pause(for_s: float) -> None:
        pauses.append(for_s)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    renewal = replace(home.parts.renewal, random=lambda: part)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keep_root(replace(home.parts, renewal=renewal, fetch=lambda: b"", pause=pause)))
    assert pauses == [first_s, first_s * 2, first_s * 4]
