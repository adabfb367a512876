"""hub.toml: the file that `init` writes is read, with and without the byte-order mark that some editors add."""

import re
from pathlib import Path

import pytest

from hub.folder.first_settings import settings_text
from hub.folder.intake_settings import IntakeLimits
from hub.folder.mail_settings import MAIL_TEXT, MailSettings, read_password
from hub.folder.settings import parse_settings
from hub.storage.records import Coop
from protocols.errors import SettingsError


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    text = settings_text(Coop("sunny", "Sunny Street", "Europe/Vienna", "EUR")).encode()
    with_mark = parse_settings(b"\xef\xbb\xbf" + text, name="hub.toml", folder=tmp_path)
    assert with_mark == parse_settings(text, name="hub.toml", folder=tmp_path)


@pytest.mark.parametrize(
    ("web", "warns"),
    [("https = true", True), ('https = true\nnames = ["hub.example.org"]', False), ("https = false", False)],
)
def test_a_hub_behind_a_proxy_says_that_it_needs_its_name(tmp_path: Path, web: str, warns: bool) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[web\].*?(?=\n\[)", f"[web]\n{web}\n", text)
    settings = parse_settings(text.encode(), name="hub.toml", folder=tmp_path)
    assert ("web.names" in (settings.web.warning or "")) == warns


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("estimate_longest = 0", "rules.estimate_longest: expected a whole number of quarter hours from 1 to 96"),
        ("connection_w = -1", "rules.connection_w: expected a whole number from 0 to"),
    ],
)
def test_a_wrong_number_is_told_with_its_key_and_its_unit(tmp_path: Path, lines: str, said: str) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[rules\].*?(?=\n\[|\Z)", f"[rules]\n{lines}\n", text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse_settings(text.encode(), name="hub.toml", folder=tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("messages_a_day = 10", "intake.messages_a_day: expected a whole number from 1000 to"),
        ("slow_after = 2000\ncut_off_after = 1000", "intake.cut_off_after: expected at least slow_after"),
        ("speed = 1", "intake.speed: no such setting"),
    ],
)
def test_a_limit_that_would_hit_honest_homes_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    text = re.sub(r"(?s)\[intake\].*?(?=\n# \[|\n\[|\Z)", f"[intake]\n{lines}\n", text)
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse_settings(text.encode(), name="hub.toml", folder=tmp_path)


def test_a_file_without_limits_has_the_usual_ones(tmp_path: Path) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    without = re.sub(r"(?s)\[intake\].*?(?=\n# \[)", "", text)
    parsed = [parse_settings(each.encode(), name="hub.toml", folder=tmp_path).intake for each in (text, without)]
    assert parsed == [IntakeLimits(), IntakeLimits()]


def test_after_an_unknown_table_all_that_there_are_are_named(tmp_path: Path) -> None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR"))
    tables = set(re.findall(r"(?m)^(?:# )?\[(\w+)\]", text))
    assert {"store", "weather", "bank", "mail", "traces", "backup"} < tables
    with pytest.raises(SettingsError, match=r"\[stor\]: no such setting; expected one of ") as refused:
        parse_settings(f"{text}\n[stor]\n".encode(), name="hub.toml", folder=tmp_path)
    assert str(refused.value).partition("expected one of ")[2].split(", ") == sorted(tables)


MAIL = '[mail]\nserver = "smtp.example.org"\nfrom = "hub@example.org"\n'


def mail_settings(folder: Path, lines: str) -> MailSettings | None:
    text = settings_text(Coop("street", "The Street", "Europe/Madrid", "EUR")) + lines
    return parse_settings(text.encode(), name="hub.toml", folder=folder).mail


def test_mail_is_off_until_it_is_entered_and_starttls_is_usual(tmp_path: Path) -> None:
    assert mail_settings(tmp_path, "") is None
    mail = mail_settings(tmp_path, MAIL)
    assert mail is not None
    assert (mail.security, mail.port, mail.user, mail.reply_to) == ("starttls", 587, "", "")
    implicit = mail_settings(tmp_path, f'{MAIL}security = "tls"\n')
    assert implicit is not None
    assert implicit.port == 465


def test_the_lines_that_explain_mail_are_good_settings(tmp_path: Path) -> None:
    for name in ("mail-password", "mail-ca.pem"):
        (tmp_path / name).write_text("x")
    lines = re.sub(r"(?m)^# ", "", MAIL_TEXT)
    assert mail_settings(tmp_path, lines) is not None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('[mail]\nfrom = "hub@example.org"\n', "mail.server: expected the mail server's host name"),
        ('[mail]\nserver = "smtp.example.org"\n', "mail.from: expected an address like"),
        (f'{MAIL}security = "none"\n', "mail.security: expected starttls or tls: without them anybody"),
        (f'{MAIL}security = "ssl"\n', "mail.security: expected one of starttls, tls, none"),
        (f'{MAIL}user = "hub"\n', "mail.user: expected user and password_file together"),
        (f'{MAIL}password_file = "gone"\n', "mail.password_file: expected a file that exists"),
        (f'{MAIL}reply_to = "a@b.example\\nBcc: c@d.example"\n', "mail.reply_to: expected an address"),
        (f'{MAIL}password = "x"\n', "mail.password: no such setting"),
    ],
)
def test_mail_settings_that_would_harm_are_refused(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        mail_settings(tmp_path, lines)


def test_a_mail_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mail-password"
    path.write_text("secret word\n")
    mail = mail_settings(tmp_path, f'{MAIL}user = "hub"\npassword_file = "mail-password"\n')
    assert mail is not None
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="other users can read the mail password; fix it with: chmod 600") as error:
        read_password(mail)
    assert "secret word" not in str(error.value)
    path.chmod(0o600)
    assert read_password(mail) == "secret word"
