"""Enrolment over real TLS: pinned to the co-op that the token names; every wrong turn is one line and keeps nothing."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from edge_agent.setup.enrolment import enrol, find_root, require_new
from edge_agent.setup.hub_site import fetch_root_document, is_secure, post_to
from edge_agent.uplink.identity import Identity, load_identity
from edge_agent.uplink.tls.files import CERTIFICATE_FILE, certificate_request
from protocols.enrolment.certificates import Validity
from protocols.enrolment.token import EnrolToken, token_text
from protocols.errors import IdentityError
from tests.coop_authority import LIFE_S, TestAuthority
from tests.edge_agent.enrolment_desk import HUB_KEY, TOKEN, sealed_reply
from tests.edge_agent.tls_desk import COOP, NOW_S, TlsDesk, tls_desk

OURS, FOREIGN = TestAuthority(), TestAuthority("foreign")
TEXT = token_text(TOKEN)


def enrol_at(desk: TlsDesk, folder: Path, *, text: str = TEXT, coop: str = COOP) -> Identity:
    """What `commonwatt-agent enrol` does."""
    require_new(folder)
    root = find_root(text, coop=coop, fetch=lambda: fetch_root_document(desk.url)) if is_secure(desk.url) else ""
    return enrol(folder, text, coop=coop, post=post_to(desk.url, root=root), root=root)


def test_a_home_enrols_over_tls_and_keeps_its_keys_to_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tls_desk(tmp_path, TlsDesk(OURS)) as desk:
        made = enrol_at(desk, data)
        assert desk.asked == ["/api/authority", "/api/enrol"]
        assert made.enrolment.root == OURS.root_pem.decode()
    again = load_identity(data)
    assert again.enrolment == made.enrolment
    assert again.tls is not None
    assert again.tls.validity() == Validity(NOW_S, NOW_S + LIFE_S)
    assert again.tls.context().minimum_version is ssl.TLSVersion.TLSv1_3
    assert {each.name: each.stat().st_mode & 0o777 for each in data.iterdir()} == {
        "identity.key": 0o600,
        "tls.key": 0o600,
        CERTIFICATE_FILE: 0o600,
        "enrolment.json": 0o600,
    }


def refused(desk: TlsDesk, folder: Path, words: str, *, text: str = TEXT, coop: str = COOP) -> None:
    with pytest.raises(IdentityError, match=words) as caught:
        enrol_at(desk, folder / "data", text=text, coop=coop)
    assert "\n" not in str(caught.value)
    assert TEXT[:9] not in str(caught.value)
    assert not (folder / "data" / "enrolment.json").exists()
    assert not (folder / "data" / CERTIFICATE_FILE).exists()


@pytest.mark.parametrize(
    ("names", "span", "newest", "words"),
    [
        (
            ("other.example",),
            (1_700_000_000, 4 * 10**9),
            ssl.TLSVersion.TLSv1_3,
            "certificate is for another host name",
        ),
        (("127.0.0.1",), (1_000_000_000, 1_100_000_000), ssl.TLSVersion.TLSv1_3, "has expired; .* clock says 20"),
        (("127.0.0.1",), (3_900_000_000, 4 * 10**9), ssl.TLSVersion.TLSv1_3, "not valid yet; .* set the clock"),
        (("127.0.0.1",), (1_700_000_000, 4 * 10**9), ssl.TLSVersion.TLSv1_2, "offers no TLS 1.3"),
    ],
)
def test_a_server_that_is_not_right_gets_no_token(
    tmp_path: Path, names: tuple[str, ...], span: tuple[int, int], newest: ssl.TLSVersion, words: str
) -> None:
    context = OURS.server_context(tmp_path, *names, span=span, newest=newest)
    with tls_desk(tmp_path, TlsDesk(OURS), context=context) as desk:
        refused(desk, tmp_path, words)
        assert "/api/enrol" not in desk.asked, "the token is unspent"


def test_a_server_under_a_foreign_root_gets_nothing(tmp_path: Path) -> None:
    """Somebody in between hands on the true root, and ends TLS himself."""
    context = FOREIGN.server_context(tmp_path, "127.0.0.1")
    with tls_desk(tmp_path, TlsDesk(OURS), context=context) as desk:
        refused(desk, tmp_path, "not from your co-op's authority")
        assert desk.asked == ["/api/authority"]


def test_a_root_of_another_hub_is_not_used(tmp_path: Path) -> None:
    other = EnrolToken(TOKEN.secret, bytes(10))
    with tls_desk(tmp_path, TlsDesk(OURS)) as desk:
        refused(desk, tmp_path, "its hub key is not the one in the token", text=token_text(other))
        refused(desk, tmp_path, "the hub belongs to co-op 'sonne', expected 'mond'", coop="mond")
        assert desk.asked == ["/api/authority"] * 2


def test_an_answer_with_another_root_than_the_one_shown_is_not_kept(tmp_path: Path) -> None:
    """An old root, replayed by somebody who has its key, ends at the hub's fresh answer."""
    desk = TlsDesk(OURS)
    desk.shown = FOREIGN
    with tls_desk(tmp_path, desk, context=FOREIGN.server_context(tmp_path, "127.0.0.1")):
        refused(desk, tmp_path, "root: another certificate than the one the hub showed first")


def test_a_certificate_for_another_key_is_not_kept(tmp_path: Path) -> None:
    class Swapping(TestAuthority):
        """Certifies the key of whoever sits at the hub."""

        def issue_agent(self, csr_der: bytes, *, agent: str, now_s: int) -> bytes:
            return super().issue_agent(certificate_request(tmp_path / "other", agent=agent), agent=agent, now_s=now_s)

    desk = TlsDesk(Swapping())
    with tls_desk(tmp_path, desk):
        refused(desk, tmp_path, "certificate: for another key")


def test_plain_http_is_for_this_computer(tmp_path: Path) -> None:
    for url in ("http://192.168.1.10:8400", "http://hub.example", "http://[fd00::1]:8400"):
        with pytest.raises(IdentityError, match=r"plain http is for a hub on this computer only.*nothing was sent"):
            is_secure(url)
    for url in ("http://127.0.0.1:8400", "http://localhost", "http://[::1]:8400"):
        assert not is_secure(url)
    assert is_secure("https://hub.example")


def test_a_hub_on_this_computer_cannot_name_a_plain_broker_elsewhere(tmp_path: Path) -> None:
    def post(body: bytes) -> bytes:
        return sealed_reply(body, broker_host="192.168.1.10")

    with pytest.raises(IdentityError, match=r"192\.168\.1\.10: a broker elsewhere is used only with TLS"):
        enrol(tmp_path, TEXT, coop=COOP, post=post)
    assert not (tmp_path / "enrolment.json").exists()


def test_a_hub_that_gives_no_certificate_over_tls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match=r"the hub gives no certificate: ask the co-op's board to set \[public\]"):
        enrol(tmp_path, TEXT, coop=COOP, post=sealed_reply, root=OURS.root_pem.decode())


def test_the_same_token_may_be_used_again_after_a_lost_answer(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tls_desk(tmp_path, TlsDesk(OURS)) as desk:
        right, lost = desk.enrol, []

        def lose_one(body: bytes) -> bytes:
            lost.append(body)
            return right(body) if len(lost) > 1 else b"{"

        desk.enrol = lose_one  # type: ignore[method-assign]
        with pytest.raises(IdentityError, match="the hub's answer cannot be used"):
            enrol_at(desk, data)
        made = enrol_at(desk, data)
    assert made.enrolment.hub_public_key == HUB_KEY.public_key().public_bytes_raw()
