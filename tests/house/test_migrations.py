"""The steps of the store's schema are numbered from 1 without a gap, and no number is used twice."""

from hub.storage.sqlite.schema import known_migrations


def test_the_steps_are_numbered_without_gaps() -> None:
    steps = known_migrations()  # raises StoreError if not
    assert [step.number for step in steps] == list(range(1, len(steps) + 1))
