"""The agent's only HTTP call: it sends the enrolment request to the hub. Standard library only."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable

from protocols.enrolment.handshake import MAX_REPLY_BYTES
from protocols.errors import IdentityError

TIMEOUT_S = 20.0


def post_to(hub_url: str) -> Callable[[bytes], bytes]:
    """A function that posts to this hub and returns its answer. Raises IdentityError; its text never has the token."""
    url = f"{hub_url}/api/enrol"
    if not url.startswith(("http://", "https://")):
        raise IdentityError(f"hub.url: expected http:// or https://, found {hub_url[:60]!r}")

    def post(body: bytes) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked above
            url, data=body, headers={"Content-Type": "application/json"}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
                return bytes(answer.read(MAX_REPLY_BYTES + 1))
        except urllib.error.HTTPError as refusal:
            with refusal:
                raise IdentityError(f"the hub refused ({refusal.code}): {_reason(refusal.read(4096))}") from None
        except http.client.HTTPException:
            raise IdentityError(f"{hub_url}: the server there is not a hub: is hub.url right?") from None
        except (urllib.error.URLError, OSError) as cause:
            reason = getattr(cause, "reason", cause)
            raise IdentityError(f"{hub_url}: the hub cannot be reached: {reason}: is it running?") from None

    return post


def _reason(body: bytes) -> str:
    """The reason in a refusal, as one printable line."""
    try:
        found = json.loads(body)
        words = found.get("detail") or found.get("error") if isinstance(found, dict) else None
    except ValueError:
        words = None
    text = words if isinstance(words, str) else "it gave no reason"
    return "".join(mark for mark in text[:200] if mark.isprintable())
