"""The agent's HTTP calls to its hub, for enrolment and renewal. Standard library only.

Plain HTTP stays on this computer. HTTPS is TLS 1.3 pinned to the co-op's root; only the root itself is fetched before
that, and its signature is checked by whoever asked for it.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from edge_agent.uplink.tls.files import trusting
from edge_agent.uplink.tls.trouble import tls_trouble
from protocols.enrolment.handshake import MAX_REPLY_BYTES
from protocols.enrolment.trust_root import MAX_ROOT_BYTES
from protocols.errors import IdentityError
from protocols.loopback import is_loopback

TIMEOUT_S = 20.0
WHOLE_ANSWER_S = 60.0
MAX_REFUSAL_BYTES = 4096


def is_secure(hub_url: str) -> bool:
    """Whether this hub is reached over HTTPS. Raises: IdentityError if it should be and is not."""
    parts = urlsplit(hub_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise IdentityError(f"hub.url: expected http:// or https://, found {hub_url[:60]!r}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise IdentityError(
            f"hub.url: {hub_url[:80]}: plain http is for a hub on this computer only: use the https:// address"
            " that the co-op gave you; nothing was sent"
        )
    return parts.scheme == "https"


def post_to(hub_url: str, *, path: str = "/api/enrol", root: str = "") -> Callable[[bytes], bytes]:
    """A function that posts to this hub and returns its answer; over HTTPS only to a hub under this root (PEM).

    Raises IdentityError, also the function; no text of it ever has the token.
    """
    context = trusting(root) if is_secure(hub_url) else None

    def post(body: bytes) -> bytes:
        return _ask(hub_url, "POST", path, body=body, context=context, most=MAX_REPLY_BYTES)

    return post


def post_renewal(host: str, port: int, *, root: str) -> Callable[[bytes], bytes]:
    """A function that posts renewals to the hub at this place. Raises: as `post_to`."""
    return post_to(_url_of(host, port), path="/api/renew", root=root)


def post_question(host: str, port: int, *, root: str) -> Callable[[bytes], bytes]:
    """A function that asks the hub at this place where an agent's broker is. Raises: as `post_to`."""
    return post_to(_url_of(host, port), path="/api/broker", root=root)


def fetch_root_of(host: str, port: int) -> bytes:
    """What the hub at this place says its root certificate is; as `fetch_root_document`."""
    return fetch_root_document(_url_of(host, port))


def _url_of(host: str, port: int) -> str:
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def fetch_root_document(hub_url: str) -> bytes:
    """What the hub says its root certificate is. It comes from anybody: check the signature. Raises: IdentityError."""
    is_secure(hub_url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Nothing secret is sent, and the token decides whose signature on the answer counts.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _ask(hub_url, "GET", "/api/authority", body=None, context=context, most=MAX_ROOT_BYTES)


def _ask(
    hub_url: str, method: str, path: str, *, body: bytes | None, context: ssl.SSLContext | None, most: int
) -> bytes:
    try:
        parts = urlsplit(hub_url)
        host, port = parts.hostname or "", parts.port
        if context is None:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
        try:
            connection.request(method, parts.path + path, body=body, headers={"Content-Type": "application/json"})
            answer = connection.getresponse()
            found = _body(answer, most=most + 1 if answer.status == 200 else MAX_REFUSAL_BYTES)
        finally:
            connection.close()
    except http.client.HTTPException:
        raise IdentityError(f"{hub_url}: the server there is not a hub: check the address") from None
    except ssl.SSLError as cause:
        raise IdentityError(f"{hub_url}: {tls_trouble(cause, now_s=time.time())}") from None
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise IdentityError(f"{hub_url}: the hub cannot be reached: {reason}: is it running?") from None
    if answer.status != 200:
        raise IdentityError(f"the hub refused ({answer.status}): {_reason(found)}")
    return found


def _body(answer: http.client.HTTPResponse, *, most: int) -> bytes:
    """The first bytes of an answer. Raises: OSError if it comes too slowly; HTTPException, ValueError."""
    found, until_s = bytearray(), time.monotonic() + WHOLE_ANSWER_S
    # Part by part: `read` takes any number of bytes in a chunk whose length is said to be negative.
    while len(found) < most and (part := answer.read1(most - len(found))):
        found += part
        if time.monotonic() > until_s:
            raise TimeoutError("its answer is too slow")
    return bytes(found[:most])


def _reason(body: bytes) -> str:
    """The reason in a refusal, as one printable line."""
    try:
        found = json.loads(body)
        words = found.get("detail") or found.get("error") if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        words = None
    text = words if isinstance(words, str) else "it gave no reason"
    return "".join(mark for mark in text[:200] if mark.isprintable())
