"""The way to the hub and its broker: name, address, TLS, and the agent's certificate. Sends nothing of the home."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable

from edge_agent.checkup.results import Diagnosis, note, ok, wrong
from edge_agent.uplink.moving.place import Address
from edge_agent.uplink.tls.certificate_text import certificate_trouble
from edge_agent.uplink.tls.files import TlsFiles, trusting
from edge_agent.uplink.tls.trouble import tls_trouble
from protocols.enrolment.answer import EnrolAnswer

CONNECT_WITHIN_S = 10.0
SOON_S = 3 * 86400
MakeContext = Callable[[], ssl.SSLContext | None]


def check_certificate(validity_of: TlsFiles | None, *, now_s: float) -> list[Diagnosis]:
    """The agent's certificate: valid, and renewed in time."""
    if validity_of is None:
        return []
    validity = validity_of.validity()
    trouble = certificate_trouble(validity, now_s=now_s)
    if trouble is not None or validity is None:
        advice = "let the agent run with a network: it asks for a new one; if not within an hour, ask for an invitation"
        return [wrong("certificate", trouble or "none", advice)]
    left = validity.ends_at - now_s
    if left < SOON_S:
        advice = "check that the hub can be reached: it renews by itself when it can"
        return [note("certificate", f"it ends in {int(left // 3600)} hours", advice)]
    return [ok("certificate", f"valid for {int(left // 86400)} days, renewed by itself")]


def check_hub(enrolment: EnrolAnswer, tls: TlsFiles | None, broker: Address) -> list[Diagnosis]:
    """The broker, and the hub's enrolment address where there is one."""
    hub = None if tls is None or not enrolment.enrol_port else (enrolment.broker_host, enrolment.enrol_port)
    for host, port in (broker, *(() if hub is None else (hub,))):
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            advice = (
                "check the network and the router's name server (DNS): `ping` any address you know; then ask the board"
            )
            return [wrong("hub", f"no address is found for {host}", advice)]
    places: list[tuple[str, Address, MakeContext]] = [
        ("broker", broker, lambda: None if tls is None else tls.context())
    ]
    if tls is not None and hub is not None:
        places.append(("hub", hub, lambda: trusting(tls.root)))
    return [_reached(name, *address, context=context) for name, address, context in places]


def _reached(name: str, host: str, port: int, *, context: MakeContext) -> Diagnosis:
    where = f"{host}:{port}"
    try:
        made = context()
        with socket.create_connection((host, port), timeout=CONNECT_WITHIN_S) as plain:
            if made is not None:
                with made.wrap_socket(plain, server_hostname=host) as secure:
                    secure.getpeercert()
    except ssl.SSLError as cause:
        return wrong(name, f"{where}: {tls_trouble(cause, now_s=time.time())}", "tell the co-op's board if it stays")
    except ValueError as cause:
        return wrong(name, f"{where}: {cause}", "let the agent run with a network: it asks for a certificate")
    except OSError as cause:
        reason = cause.strerror or "no answer in time"
        advice = "check the network here; if other sites work, the hub may be down: ask the board"
        return wrong(name, f"{where} cannot be reached: {reason}", advice)
    return ok(name, f"{where} can be reached" + ("" if made is None else ", and is the co-op's"))
