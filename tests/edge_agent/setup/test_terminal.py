"""Questions in a terminal: choices and defaults are shown, wrong answers are asked again, the end stops politely."""

import io
import signal
from pathlib import Path

import pytest

from edge_agent.checkup.service import setup_command
from edge_agent.setup.conversation import ConversationEndedError, SetupQuestion, understand, yes_or_no
from edge_agent.setup.progress import SetupProgress, load_progress, save_progress
from edge_agent.setup.terminal import TerminalConversation
from tests.edge_agent.setup.person import Person


async def asked(question: SetupQuestion, answers: str) -> tuple[str, str]:
    shown = io.StringIO()
    answer = await TerminalConversation(io.StringIO(answers), shown).ask(question)
    return answer, shown.getvalue()


async def test_choices_and_what_enter_means_are_shown() -> None:
    assert await asked(yes_or_no("Go on?", default="n"), "\n") == ("n", "Go on? [y/n, Enter: n] ")
    assert await asked(SetupQuestion("How many?", default="3"), "\n") == ("3", "How many? [Enter: 3] ")
    assert await asked(SetupQuestion("Name?"), "  Ada \n") == ("Ada", "Name? ")


async def test_a_wrong_answer_is_asked_again() -> None:
    answer, shown = await asked(yes_or_no("Go on?"), "maybe\n\nYES\n")
    assert answer == "y"
    assert shown.count("please answer one of: y, n") == 2


async def test_what_no_key_prints_is_neither_taken_nor_shown() -> None:
    """An arrow key, or a text that somebody meant for the terminal: it could hide what stands there."""
    answer, shown = await asked(SetupQuestion("Name \x9b2J?", values=[("a", "\x1b[2J")]), "\x1b[A\nA\u202eda\nAda\t1\n")
    assert answer == "Ada 1"
    assert shown.count("it has characters that cannot be shown") == 2
    assert not any(each in shown for each in "\x1b\x9b\u202e")
    out = io.StringIO()
    await TerminalConversation(io.StringIO(), out).say("it says \x1b]0;x\x07\nand more")
    assert out.getvalue() == "it says \ufffd]0;x\ufffd\nand more\n"


async def test_the_command_that_goes_on_is_the_one_that_works_here() -> None:
    talk = TerminalConversation(io.StringIO(), io.StringIO(), again=setup_command(Path("/srv/a b/agent.toml")))
    with pytest.raises(
        ConversationEndedError, match=r"`commonwatt-agent setup --config '/srv/a b/agent\.toml'` goes on"
    ):
        await talk.ask(yes_or_no("Go on?"))
    assert setup_command(Path("agent.toml")) == "commonwatt-agent setup"


async def test_the_end_of_the_input_stops_and_says_how_to_go_on() -> None:
    with pytest.raises(ConversationEndedError, match="goes on where you stopped"):
        await asked(SetupQuestion("Name?"), "")


async def test_what_the_choices_mean_stands_in_the_question_or_above_it_where_it_is_long() -> None:
    short = SetupQuestion("What differs?", ("d", "o"), labels=("the direction", "other numbers"))
    assert (await asked(short, "d\n"))[1] == "What differs? d = the direction, o = other numbers [d/o] "
    long = SetupQuestion("Which?", ("1", "s"), "1", ("a meter " * 20, "leave it out"), values=[("grid", "230 W")])
    _, shown = await asked(long, "\n")
    assert shown.splitlines() == [
        "  grid: 230 W", f"  1 = {'a meter ' * 20}", "  s = leave it out", "Which? [1/s, Enter: 1] "
    ]  # fmt: skip


async def test_several_choices_are_named_with_commas() -> None:
    question = SetupQuestion("What does it measure?", ("pv", "battery"), "pv", is_several=True)
    answer, shown = await asked(question, "pv, nonsense\nbattery, PV,\n")
    assert answer == "battery,pv"
    assert "please answer one of: pv, battery" in shown
    assert understand(question, "") == "pv"
    assert understand(SetupQuestion("What?", ("pv",), is_several=True), " , ") is None


async def test_the_first_ctrl_c_at_a_question_stops(tmp_path: Path) -> None:
    person = Person()
    await person.start("setup", "--config", str(tmp_path / "agent.toml"))
    await person.until("Makes written on")
    assert person.process is not None
    try:
        person.process.send_signal(signal.SIGINT)
        await person.until("goes on where you stopped")
        assert await person.ended() == 1
    finally:
        await person.leave()
    assert "Traceback" not in person.seen


def test_a_beginning_that_fits_one_choice_is_enough() -> None:
    question = SetupQuestion("Which?", ("none", "15min", "60min"))
    assert understand(question, "6") == "60min"
    assert understand(question, "none") == "none"
    assert understand(question, "") is None
    assert understand(SetupQuestion("Which?", ("1", "12")), "1") == "1"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"devices": 3}', b'{"devices": [{"x": 1}], "meter": {}, "done": []}', b"\xff"]
)
def test_a_damaged_progress_file_is_a_new_beginning(tmp_path, content: bytes) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "setup-progress.json").write_bytes(content)
    assert load_progress(tmp_path) == SetupProgress()
    save_progress(tmp_path, SetupProgress(done=["devices"]))
    assert load_progress(tmp_path).next_step == "meter"
    assert (tmp_path / "setup-progress.json").stat().st_mode & 0o077 == 0
