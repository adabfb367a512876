"""TLS to the server: the hub reaches the one whose certificate it trusts, and no other."""

import datetime
import ipaddress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.broker.plans import free_port
from hub.storage.errors import StoreError
from hub.storage.jobs.records import Job
from hub.storage.postgres.address import StoreAddress
from hub.storage.postgres.names import runner_of
from hub.storage.postgres.prepare import prepare_store
from hub.storage.postgres.store import PostgresStore
from tests.hub.postgres_server import SCHEMA, start_server


def certificate() -> tuple[bytes, bytes]:
    """(key, certificate) of a server at 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "db")])
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return (
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        made.public_bytes(pem),
    )


async def test_only_a_server_with_a_trusted_certificate_is_spoken_to(tmp_path: Path) -> None:
    key, held = certificate()
    _, another = certificate()
    (tmp_path / "trusted.pem").write_bytes(held)
    (tmp_path / "another.pem").write_bytes(another)
    port = free_port("127.0.0.1")
    files = {"server.key": key, "server.crt": held}
    server = start_server(files, listen_addresses="127.0.0.1", port=str(port), ssl="on")
    admin = await server.ask()
    await admin.execute("CREATE DATABASE energy")
    admin.terminate()
    password = await prepare_store(server.admin("energy"), now=lambda: 0.0, signer=None)

    def address(words: str) -> StoreAddress:
        return StoreAddress(f"postgresql://{runner_of(SCHEMA)}:{password}@127.0.0.1:{port}/energy?{words}", SCHEMA)

    checked = address(f"sslmode=verify-full&sslrootcert={tmp_path}/trusted.pem")
    store = await PostgresStore.open(checked, now=lambda: 0.0)
    await store.put_job(Job("a", 1, None, ""))
    async with store.reading() as db:
        seen = await db.execute_fetchall("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert seen == [(True, "TLSv1.3")]
    await store.close()
    for words, said in (
        (f"sslmode=verify-full&sslrootcert={tmp_path}/another.pem", "certificate verify failed"),
        ("sslmode=disable", "no encryption"),
    ):
        with pytest.raises(StoreError, match=said):
            await PostgresStore.open(address(words), now=lambda: 0.0)
