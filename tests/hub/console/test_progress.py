"""Progress of long commands: silent at first, one line on a terminal, a line at intervals elsewhere."""

import io

from hub.console.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Watch:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def shown(out: io.StringIO, *, until_s: int) -> str:
    watch = Watch()
    progress = Progress(out, monotonic=watch)
    for second in range(until_s):
        watch.now_s = float(second)
        progress.report("messages", second, until_s)
    progress.end()
    return out.getvalue()


def test_what_is_done_at_once_says_nothing() -> None:
    assert shown(io.StringIO(), until_s=2) == ""
    assert shown(Terminal(), until_s=2) == ""


def test_a_log_gets_a_line_every_ten_seconds() -> None:
    assert shown(io.StringIO(), until_s=25) == "messages: 2 of 25\nmessages: 12 of 25\nmessages: 22 of 25\n"


def test_a_terminal_has_one_line_that_is_wiped_at_the_end() -> None:
    said = shown(Terminal(), until_s=12)
    assert "\n" not in said
    assert said.split("\r")[1:4] == ["messages: 2 of 12", "messages: 3 of 12", "messages: 4 of 12"]
    assert said.endswith(f"\r{' ' * len('messages: 11 of 12')}\r")


def test_more_than_was_expected_is_not_more_than_all() -> None:
    watch, out = Watch(), io.StringIO()
    progress = Progress(out, monotonic=watch)
    watch.now_s = 3
    progress.report("entries", 12, 7)
    watch.now_s = 15
    progress.report("entries", 30, None)
    assert out.getvalue() == "entries: 12 of 12\nentries: 30\n"
