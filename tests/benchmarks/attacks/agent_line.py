"""How an agent reaches the broker of a hub under attack: in the clear, or over TLS with a certificate of the co-op."""

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import CertificateSigningRequestBuilder, Name
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from hub.trust.authority_files import FolderAuthority, root_file


@dataclass(frozen=True, slots=True)
class AgentLine:
    """The broker's port on this computer and, for TLS, the files of root, certificate and key."""

    port: int
    root: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """For the command line of an attacker."""
        files = (self.root, self.certificate, self.key)
        return (str(self.port), *(str(file) for file in files if file is not None))

    def client(self, agent: str) -> mqtt.Client:
        """A client of this agent that is not connected yet."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=agent, protocol=MQTTProtocolVersion.MQTTv5)
        if self.certificate is not None:
            context = ssl.create_default_context(cafile=self.root)
            context.load_cert_chain(self.certificate, self.key)
            client.tls_set_context(context)
        return client


def line_from(words: list[str]) -> AgentLine:
    """What `words` says."""
    return AgentLine(int(words[0]), *(Path(word) for word in words[1:]))


def certified_line(folder: Path, port: int, *, agent: str) -> AgentLine:
    """A line with a certificate that the hub of this folder issues to the agent now, kept beside the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = CertificateSigningRequestBuilder().subject_name(Name([])).sign(key, SHA256()).public_bytes(Encoding.DER)
    made = FolderAuthority(folder).issue_agent(request, agent=agent, now_s=int(time.time()))
    line = AgentLine(port, root_file(folder), folder.parent / f"{agent}.crt", folder.parent / f"{agent}.key")
    assert line.certificate is not None
    assert line.key is not None
    line.certificate.write_bytes(made)
    line.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return line
