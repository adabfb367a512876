"""How this home becomes known to its co-op's hub, step by step; everything is checked before anything is kept.

Nothing is sent here: `hub_site` sends, through functions that are passed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from edge_agent.uplink.identity import ENROLMENT_FILE, Identity, own_key, tls_of
from edge_agent.uplink.sealing import AgentSigner
from edge_agent.uplink.tls.files import certificate_request, tls_public_key
from protocols.durable_files import write_durably
from protocols.enrolment.answer import EnrolAnswer, build_answer
from protocols.enrolment.certificates import check_chain
from protocols.enrolment.handshake import build_request, open_answer
from protocols.enrolment.token import EnrolToken, parse_token
from protocols.enrolment.trust_root import open_root
from protocols.errors import IdentityError
from protocols.hub_keys import open_certificate
from protocols.loopback import is_loopback
from protocols.public_keys import agent_name_of
from protocols.wire.refusal_reasons import WireError
from protocols.wire.topics import is_id


def find_root(token_text: str, *, coop: str, fetch: Callable[[], bytes]) -> str:
    """The root certificate (PEM) that the hub of this token vouches for. Raises: IdentityError; nothing was sent."""
    token = _token(token_text, coop)
    try:
        return open_root(fetch(), token=token, coop=coop)
    except WireError as cause:
        raise _foreign(cause.detail) from None
    except ValueError as cause:
        raise IdentityError(f"the hub's root certificate cannot be used: {cause}; nothing was sent") from None


def require_new(folder: Path) -> None:
    """Raises: IdentityError if this folder belongs to an agent that is enrolled."""
    path = folder / ENROLMENT_FILE
    try:
        is_enrolled = path.exists()
    except OSError as cause:
        raise IdentityError(f"{folder}: cannot be read: {cause.strerror}: choose a folder of your own") from None
    if is_enrolled:
        raise IdentityError(f"{path}: already enrolled: use another data folder, for another home or a new key")


def enrol(
    folder: Path,
    token_text: str,
    *,
    coop: str,
    post: Callable[[bytes], bytes],
    root: str = "",
    now: Callable[[], float] = time.time,
) -> Identity:
    """Make the keys if there are none, enrol them with the hub, and store the answer.

    The same token and key may be used again until the token ends, if the answer was lost. `post` sends the request
    and returns the answer's bytes. `root` is what `find_root` gave, or empty for a hub on this computer.
    `now` is real time.
    Raises: IdentityError.
    """
    token = _token(token_text, coop)
    require_new(folder)
    key = own_key(folder)
    public_key = key.public_key().public_bytes_raw()
    csr = certificate_request(folder, agent=agent_name_of(public_key)) if root else b""
    request = build_request(key, token=token, coop=coop, csr=csr).encode("ascii")
    try:
        answer = open_answer(post(request), token=token, request=request, agent_public_key=public_key)
        _check_connection(answer, folder, root=root)
        _require_valid(answer, now_s=now())
    except WireError as cause:
        raise _foreign(cause.detail) from None
    except ValueError as cause:
        raise IdentityError(f"the hub's answer cannot be used: {cause}") from None
    if answer.coop != coop:
        raise IdentityError(f"the hub belongs to co-op {answer.coop!r}, expected {coop!r} (hub.coop)")
    try:
        # If power fails before this line, the token is tried again; after it, the certificate is taken from this file.
        write_durably(folder / ENROLMENT_FILE, build_answer(answer).encode(), replace=True)
    except OSError as cause:
        raise IdentityError(
            f"cannot write {folder / ENROLMENT_FILE}: {cause.strerror or cause}: "
            "fix the cause, then enrol again with the same token"
        ) from None
    return Identity(AgentSigner(answer.coop, answer.agent, key), answer, tls_of(folder, answer))


def _require_valid(answer: EnrolAnswer, *, now_s: float) -> None:
    """Raises: ValueError if the hub key has ended."""
    if not answer.hub_certificate:
        return
    held = open_certificate(answer.hub_certificate, coop=answer.coop, identity=answer.hub_public_key)
    if now_s >= held.valid_until:
        raise ValueError("hub_certificate: the hub's key has ended, or this computer's clock is wrong: tell the board")


def _check_connection(answer: EnrolAnswer, folder: Path, *, root: str) -> None:
    """Raises: ValueError if the agent could not reach its broker safely with this answer."""
    if not answer.broker_tls:
        if root:
            raise ValueError("broker_tls: the hub gives no certificate: ask the co-op's board to set [public]")
        if not is_loopback(answer.broker_host):
            raise ValueError(f"broker_host: {answer.broker_host[:60]}: a broker elsewhere is used only with TLS")
        return
    if answer.root != root:
        raise ValueError("root: another certificate than the one the hub showed first: try again")
    check_chain(answer.certificate, root_pem=root, agent=answer.agent, public_key=tls_public_key(folder) or b"")


def _token(text: str, coop: str) -> EnrolToken:
    try:
        token = parse_token(text)
    except ValueError as cause:
        raise IdentityError(str(cause)) from None
    if not is_id(coop):
        raise IdentityError(f"co-op {coop[:40]!r}: expected 1 to 32 of a-z, 0-9 and - (hub.coop or --coop)")
    return token


def _foreign(detail: str) -> IdentityError:
    return IdentityError(
        f"the answer does not come from the hub that made the token: {detail}: check that the"
        " invitation is this co-op's, then hub.url and the network in between; nothing was stored"
    )
