"""The hub says when its board is too small to publish, and the command that helps."""

from hub.board.quorum import lone_board
from hub.storage.records import Member


def members(*on_board: bool) -> list[Member]:
    return [Member(f"m{n:02d}", "A", "a@b.c", "en", each, 0) for n, each in enumerate(on_board, start=1)]


def test_fewer_than_two_board_members_are_named_with_the_way_on() -> None:
    assert lone_board([]) is None
    assert lone_board(members(True, False, True)) is None
    one = lone_board(members(True, False)) or ""
    assert one.startswith("only m01 is on the board: a run needs 2 members of it, so nothing can be published")
    assert "begin-role --role board --member ID --by m01`" in one
    assert (lone_board(members(False)) or "").startswith("nobody is on the board")
