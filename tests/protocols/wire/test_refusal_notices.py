"""A notice of refusal reads back as it was written and refuses every other form."""

from __future__ import annotations

import cbor2
import pytest

from protocols.wire.padding import PAD_KEY, encode_padded
from protocols.wire.refusal_notices import RefusalNotice, decode_refusal, encode_refusal
from protocols.wire.refusal_reasons import RefusalReason, WireError

NOTICE = RefusalNotice("a-4k2f9c1d", 1_795_226_480, bytes([9]) * 32, RefusalReason.GARBAGE)


@pytest.mark.parametrize("reason", RefusalReason)
def test_a_notice_of_every_reason_reads_back(reason: RefusalReason) -> None:
    notice = RefusalNotice("a1", 0, bytes(32), reason)
    assert decode_refusal(encode_refusal(notice)) == notice
    assert len(encode_refusal(NOTICE)) == 426, "the first size class, like any other message"


@pytest.mark.parametrize(
    "wrong",
    [
        RefusalNotice("Not a name", 1, bytes(32), RefusalReason.GARBAGE),
        RefusalNotice("a1", -1, bytes(32), RefusalReason.GARBAGE),
        RefusalNotice("a1", True, bytes(32), RefusalReason.GARBAGE),
        RefusalNotice("a1", 1, bytes(31), RefusalReason.GARBAGE),
        RefusalNotice("a1", 1, bytes(32), 1),  # type: ignore[arg-type]
    ],
)
def test_what_no_reader_would_take_is_not_written(wrong: RefusalNotice) -> None:
    with pytest.raises(WireError) as caught:
        encode_refusal(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE


@pytest.mark.parametrize("change", [{1: 2}, {5: len(RefusalReason)}, {6: 0}, {4: "x" * 32}])
def test_another_form_is_garbage(change: dict[int, object]) -> None:
    fields = {key: value for key, value in cbor2.loads(encode_refusal(NOTICE)).items() if key != PAD_KEY}
    with pytest.raises(WireError) as caught:
        decode_refusal(encode_padded({**fields, **change}))
    assert caught.value.reason is RefusalReason.GARBAGE
