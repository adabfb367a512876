"""Writing again after a conflict: how often, how long between, and what is said when it is given up."""

import pytest

from hub.books.retry import FIRST_PAUSE_S, TRIES, retry_on_conflict
from hub.storage.errors import StaleInputsError, StoreConflictError, StoreError


class Writer:
    """Meets these errors, one each call, and then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.calls, self.pauses = list(errors), 0, list[float]()

    async def write(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return f"written at try {self.calls}"

    async def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)


def conflicts(count: int) -> list[StoreConflictError]:
    return [StoreConflictError(f"number {n}") for n in range(1, count + 1)]


@pytest.mark.parametrize("count", range(TRIES))
async def test_it_succeeds_after_conflicts_and_waits_twice_as_long_after_each(count: int) -> None:
    writer = Writer(*conflicts(count))
    assert await retry_on_conflict(writer.write, sleep=writer.sleep) == f"written at try {count + 1}"
    assert writer.pauses == [FIRST_PAUSE_S * 2**n for n in range(count)]


@pytest.mark.parametrize("tries", [1, 2, TRIES])
async def test_it_gives_up_with_one_line_and_does_not_wait_after_the_last_try(tries: int) -> None:
    writer = Writer(*conflicts(tries + 1))
    with pytest.raises(StoreConflictError) as given_up:
        await retry_on_conflict(writer.write, tries=tries, sleep=writer.sleep)
    assert str(given_up.value) == (
        f"others wrote to the books at the same moment, {tries} times in a row; try again (number {tries})"
    )
    assert (writer.calls, len(writer.pauses)) == (tries, tries - 1)


@pytest.mark.parametrize("error", [StoreError("the disk is full"), ValueError("a broken program")])
async def test_other_errors_pass_at_once(error: Exception) -> None:
    writer = Writer(error)
    with pytest.raises(type(error), match=str(error)):
        await retry_on_conflict(writer.write, sleep=writer.sleep)
    assert (writer.calls, writer.pauses) == (1, [])


async def test_stale_inputs_are_tried_again_only_where_they_are_read_again() -> None:
    """They are conflicts too: a writer that would only write the same inputs again lets them pass."""
    again = Writer(StaleInputsError("stale"))
    assert await retry_on_conflict(again.write, on=StaleInputsError, sleep=again.sleep) == "written at try 2"
    passing = Writer(StoreConflictError("crossed"), StaleInputsError("stale"))
    with pytest.raises(StaleInputsError, match=r"^stale$"):
        await retry_on_conflict(passing.write, never_on=StaleInputsError, sleep=passing.sleep)
    assert passing.calls == 2
    other = Writer(StoreConflictError("crossed"))
    with pytest.raises(StoreConflictError, match=r"^crossed$"):
        await retry_on_conflict(other.write, on=StaleInputsError, sleep=other.sleep)
    assert other.calls == 1


async def test_what_is_given_up_keeps_its_kind() -> None:
    writer = Writer(*[StaleInputsError("stale")] * 2)
    with pytest.raises(StaleInputsError, match="2 times in a row"):
        await retry_on_conflict(writer.write, on=StaleInputsError, tries=2, sleep=writer.sleep)


async def test_no_try_at_all_is_a_broken_program() -> None:
    with pytest.raises(ValueError, match="at least one"):
        await retry_on_conflict(Writer().write, tries=0)
