"""The hub's link to RabbitMQ, and how it signs in: with a certificate of the co-op made for each connection."""

import ssl
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hub.broker.access_rules import HUB_USER
from hub.broker.connection import BrokerAddress, Delivery
from hub.broker.plans import BrokerError
from hub.broker.sharded.links import OneLink
from hub.folder.paths import BROKER_NAME
from hub.trust.authority_files import FolderAuthority, root_file
from hub.trust.certificates import key_pem, new_key
from protocols.wire.topics import SHARDS


class AnyLink(OneLink, Protocol):
    """A link that can be opened, to whichever kind of broker."""

    def start(self, address: BrokerAddress) -> None: ...
    def stop(self) -> None: ...


def hub_context(folder: Path, *, real_now: Callable[[], float]) -> ssl.SSLContext:
    """What trusts the co-op's root alone and shows a certificate of the hub's name, whose key nobody else has held.

    Raises: AuthorityError, OSError.
    """
    key = new_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    chain = FolderAuthority(folder).issue_agent(
        request.public_bytes(Encoding.DER), agent=HUB_USER, now_s=int(real_now())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(root_file(folder))
    # Python reads a certificate from a file only; this one is gone as soon as it was read.
    (folder / BROKER_NAME).mkdir(mode=0o700, exist_ok=True)
    with TemporaryDirectory(dir=folder / BROKER_NAME, prefix="hub-") as held:
        path = Path(held) / "hub.pem"
        path.write_bytes(chain + key_pem(key))
        context.load_cert_chain(path)
    return context


def rabbitmq_link(
    folder: Path,
    *,
    coop: str,
    nodes: Sequence[tuple[str, int]],
    deliver: Callable[[list[Delivery]], None],
    shards: Collection[int] = range(SHARDS),
) -> AnyLink:
    """The link to RabbitMQ, which hears these shards. Raises: BrokerError if what speaks AMQP is not installed."""
    try:
        from hub.broker.rabbitmq.link import AmqpLink  # noqa: PLC0415 - only hubs with RabbitMQ need it
    except ImportError:
        raise BrokerError('broker.kind = "rabbitmq" needs pika: pip install "commonwatt[hub,rabbitmq]"') from None
    context = partial(hub_context, folder, real_now=time.time)
    return AmqpLink(coop=coop, nodes=nodes, context=context, deliver=deliver, shards=shards)
