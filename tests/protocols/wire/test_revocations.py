"""A notice of revocation reads back as it was written and refuses every other form; its words say what happened."""

from __future__ import annotations

import pytest

from protocols.wire.refusal_reasons import RefusalReason, WireError
from protocols.wire.revocations import RevocationCause, RevocationNotice, decode_revocation, encode_revocation

NOTICE = RevocationNotice("a-4k2f9c1d", 1_795_226_480, RevocationCause.REPLACED)


def test_a_notice_reads_back() -> None:
    assert decode_revocation(encode_revocation(NOTICE)) == NOTICE
    assert len(encode_revocation(NOTICE)) == 426, "the first size class, like any other message"


@pytest.mark.parametrize(
    "wrong",
    [
        RevocationNotice("Not a name", 1, RevocationCause.REVOKED),
        RevocationNotice("a1", -1, RevocationCause.REVOKED),
        RevocationNotice("a1", 2**40 + 1, RevocationCause.REVOKED),
        RevocationNotice("a1", True, RevocationCause.REVOKED),
        RevocationNotice("a1", 1, "revoked"),  # type: ignore[arg-type]
    ],
)
def test_what_no_reader_would_take_is_not_written(wrong: RevocationNotice) -> None:
    with pytest.raises(WireError) as caught:
        encode_revocation(wrong)
    assert caught.value.reason is RefusalReason.GARBAGE


def test_every_cause_has_words() -> None:
    assert [cause.plain_words for cause in RevocationCause] == [
        "the co-op withdrew this agent's key",
        "another agent was enrolled for this home",
    ]
