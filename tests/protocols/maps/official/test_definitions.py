"""The compiled definitions are those of the installed pysunspec2; one changed byte is seen."""

import pytest

pytest.importorskip("sunspec2")

from tests.conformance.sunspec_definitions import TARGET, compiled


def test_the_committed_file_is_what_the_compile_gives_today() -> None:
    committed = TARGET.read_text(encoding="utf-8")
    assert committed == compiled(), "run `python -m tests.conformance.sunspec_definitions`"
    assert len(committed.encode()) < 16_384
