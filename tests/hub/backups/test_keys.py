"""The backup key can be written on paper and typed again; a slip of the pen is noticed."""

from pathlib import Path

import pytest

from hub.backups.keys import KEY_NAME, key_text, load_backup_key, make_backup_key, parse_key
from protocols.errors import CommonwattError, InputError


def test_the_key_on_paper_is_the_key_in_the_file(tmp_path: Path) -> None:
    made = make_backup_key(tmp_path)
    assert load_backup_key(tmp_path) == made
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o777 == 0o600
    text = key_text(made)
    assert [len(group) for group in text.split("-")] == [5] * 8
    typed = text.lower().replace("-", " ").replace("o", "0").replace("b", "8").replace("i", "1")
    assert parse_key(typed, source="paper") == made


def test_a_second_key_is_not_made_over_the_first(tmp_path: Path) -> None:
    made = make_backup_key(tmp_path)
    with pytest.raises(CommonwattError, match="backup key already"):
        make_backup_key(tmp_path)
    assert load_backup_key(tmp_path) == made


def test_every_wrong_letter_is_noticed(tmp_path: Path) -> None:
    text = key_text(make_backup_key(tmp_path))
    for place, letter in enumerate(text):
        if letter != "-":
            other = "A" if letter != "A" else "C"
            with pytest.raises(InputError, match="a letter of it is wrong"):
                parse_key(text[:place] + other + text[place + 1 :], source="paper")


@pytest.mark.parametrize("text", ["", "hello", "é" * 40, "A" * 39, "9" * 40])
def test_what_is_no_key_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="paper: not a backup key"):
        parse_key(text, source="paper")


def test_a_missing_key_and_one_that_others_read_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommonwattError, match="commonwatt-hub backup key"):
        load_backup_key(tmp_path)
    make_backup_key(tmp_path)
    (tmp_path / KEY_NAME).chmod(0o644)
    with pytest.raises(CommonwattError, match="chmod 600"):
        load_backup_key(tmp_path)
