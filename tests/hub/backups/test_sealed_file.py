"""A sealed file opens to what was put in, with the right key, and any change of it is refused in one line."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.backups.sealed_file import (
    CHUNK_BYTES,
    MAGIC,
    TAG_BYTES,
    KeyLock,
    Lock,
    PassphraseLock,
    SealedFileError,
    SealedReader,
    SealedWriter,
)

KEY = KeyLock(bytes(range(20)))
WORDS = {"coop": "sunny"}
PART = CHUNK_BYTES + TAG_BYTES


def sealed(content: bytes, lock: Lock = KEY) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, lock, words=WORDS)
    for start in range(0, len(content), 50_000):
        writer.write(content[start : start + 50_000])
    writer.finish()
    return file.getvalue()


def opened(raw: bytes, lock: Lock = KEY) -> bytes:
    return SealedReader(io.BytesIO(raw), lock, name="b").read()


def refusal(raw: bytes, lock: Lock = KEY) -> str:
    with pytest.raises(SealedFileError) as refused:
        opened(raw, lock)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def chunks_start(raw: bytes) -> int:
    return len(MAGIC) + 4 + int.from_bytes(raw[len(MAGIC) : len(MAGIC) + 4], "big")


def chunks(raw: bytes) -> list[bytes]:
    body = raw[chunks_start(raw) :]
    return [body[start : start + PART] for start in range(0, len(body), PART)]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_what_was_put_in_comes_out(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    raw = sealed(content)
    assert opened(raw) == content
    assert content == b"" or size < 100 or content[:100] not in raw


def test_a_small_read_gives_just_that_many_bytes() -> None:
    reader = SealedReader(io.BytesIO(sealed(b"abcdef")), KEY, name="b")
    assert (reader.read(4), reader.read(4), reader.read(4)) == (b"abcd", b"ef", b"")
    assert reader.header.words == WORDS


def test_two_files_of_the_same_content_share_no_chunk() -> None:
    assert chunks(sealed(b"x" * 1000)) != chunks(sealed(b"x" * 1000))


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(1, 3 * PART))
def test_a_file_cut_off_anywhere_is_refused(cut: int) -> None:
    raw = sealed(b"y" * (3 * CHUNK_BYTES))
    assert "cut off" in refusal(raw[:-cut]) or "damaged" in refusal(raw[:-cut])


def test_a_file_cut_off_between_two_chunks_is_called_cut_off() -> None:
    raw = sealed(b"y" * (3 * CHUNK_BYTES))
    assert "cut off" in refusal(raw[:-PART])
    assert "cut off" in refusal(raw[: chunks_start(raw)])


def test_chunks_in_another_order_are_refused() -> None:
    raw = sealed(b"".join(bytes([number]) * CHUNK_BYTES for number in range(4)))
    first, second, *others = chunks(raw)
    assert "part 1" in refusal(raw[: chunks_start(raw)] + second + first + b"".join(others))
    assert "part 1" in refusal(raw[: chunks_start(raw)] + second + b"".join(others))
    assert "part 2" in refusal(raw[: chunks_start(raw)] + first + first + b"".join(others))


def test_a_chunk_of_another_file_is_refused() -> None:
    one, two = sealed(b"1" * (2 * CHUNK_BYTES)), sealed(b"2" * (2 * CHUNK_BYTES))
    assert "part 1" in refusal(one[: chunks_start(one)] + chunks(two)[0] + chunks(one)[1])


def test_anything_after_the_end_is_refused() -> None:
    raw = sealed(b"z" * CHUNK_BYTES)
    assert "damaged in its part 1" in refusal(raw + b"more")
    assert refusal(sealed(b"z") + b"more")


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_of_a_file_can_be_changed(position: int, bit: int) -> None:
    raw = bytearray(sealed(b"w" * 500))
    raw[position % len(raw)] ^= 1 << bit
    assert refusal(bytes(raw))


def test_the_words_in_front_cannot_be_exchanged() -> None:
    raw = sealed(b"v" * 500)
    assert "part 1" in refusal(raw.replace(b'"sunny"', b'"rainy"')) or "end" in refusal(
        raw.replace(b'"sunny"', b'"rainy"')
    )


def test_another_key_is_refused_by_its_name() -> None:
    other = KeyLock(bytes(20))
    said = refusal(sealed(b"u"), other)
    assert KEY.mark in said
    assert other.mark in said


def test_a_passphrase_opens_and_a_wrong_one_does_not() -> None:
    raw = sealed(b"t" * 10, PassphraseLock(b"correct horse"))
    assert opened(raw, PassphraseLock(b"correct horse")) == b"t" * 10
    assert "wrong passphrase" in refusal(raw, PassphraseLock(b"wrong horse"))
    assert "give its passphrase" in refusal(raw, KEY)


def test_a_foreign_file_is_named_as_such() -> None:
    assert "not a backup" in refusal(b"PK\x03\x04" + bytes(100))
    assert "not a backup" in refusal(b"")


def test_a_file_that_asks_for_far_too_much_memory_is_refused() -> None:
    raw = sealed(b"s", PassphraseLock(b"p")).replace(b'"log_n": 16', b'"log_n": 40')
    assert "header is damaged" in refusal(raw, PassphraseLock(b"p"))
