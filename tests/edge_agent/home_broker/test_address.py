"""The household's broker in a setting: where it is, how to sign in, and what never shows."""

from pathlib import Path

import pytest

from edge_agent.home_broker.address import BrokerSignIn, HomeBroker, open_access, parse_broker
from protocols.errors import SettingsError

HERE = HomeBroker("127.0.0.1", 1883)


@pytest.mark.parametrize(
    ("text", "shown", "is_tls"),
    [
        ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883", False),
        ("mqtts://pi.local", "mqtts://pi.local:8883", True),
        ("mqtt://[fd00::2]:1884", "mqtt://[fd00::2]:1884", False),
        ("mqtt://192.168.1.4:1885/", "mqtt://192.168.1.4:1885", False),
    ],
)
def test_a_broker_in_the_home(text: str, shown: str, is_tls: bool) -> None:
    assert (parse_broker(text).shown, parse_broker(text).is_tls) == (shown, is_tls)


@pytest.mark.parametrize(
    "text",
    ["mqtt://", "tcp://127.0.0.1", "mqtt://user:secret@127.0.0.1", "mqtt://8.8.8.8", "mqtt://a/b", "mqtt://a:0", "a b"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_broker(text)


def test_the_password_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("kettle\n")
    file.chmod(0o600)
    found = open_access(BrokerSignIn("me", file), HERE, source="agent.toml")
    assert (found.username, found.password) == ("me", "kettle")
    assert "kettle" not in repr(found)


@pytest.mark.parametrize(("content", "mode", "words"), [
    (None, 0, "cannot be read: No such file or directory: write the password into it"),
    ("kettle", 0o644, "everybody can read"),
    ("", 0o600, "expected one line with the password"),
    ("a\nkettle", 0o600, "expected one line with the password"),
])  # fmt: skip
def test_a_password_file_that_cannot_be_used(tmp_path: Path, content: str | None, mode: int, words: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
        file.chmod(mode)
    with pytest.raises(SettingsError) as caught:
        open_access(BrokerSignIn("me", file), HERE, source="agent.toml")
    assert str(caught.value).startswith("agent.toml: password_file: ")
    assert words in str(caught.value)
    assert "kettle" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_certificate_authority_needs_tls_and_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="goes without TLS"):
        open_access(BrokerSignIn(ca_file=tmp_path / "ca.pem"), HERE, source="agent.toml")
    with pytest.raises(SettingsError, match=r"ca\.pem: cannot be used: No such file"):
        open_access(BrokerSignIn(ca_file=tmp_path / "ca.pem"), parse_broker("mqtts://pi"), source="agent.toml")
    assert open_access(BrokerSignIn(), parse_broker("mqtts://pi"), source="agent.toml").context is not None
