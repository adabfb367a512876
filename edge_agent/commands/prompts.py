"""`prompts` and `answer`: the hub's prompts, and what the household says to them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.commands.arguments import add_command, add_json
from edge_agent.settings import read_settings

if TYPE_CHECKING:
    from edge_agent.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Name the command that shows prompts."""
    words = "show the hub's prompts, the reasons for them and the state of your answers"
    add_json(add_command(commands, "prompts", run=_prompts, words=words))


def add_answer(commands: Commands) -> None:
    """Name the command that answers one, and its arguments."""
    parser = add_command(commands, "answer", run=_answer, words="answer a prompt; the running agent sends it")
    parser.add_argument("prompt", help="the prompt's id, as `prompts` shows it")
    parser.add_argument("choice", choices=("yes", "no", "never"), help="never: do not ask about this appliance again")
    parser.add_argument("--clock", type=Path, metavar="FILE", help="developers only: follow this timeline file")


def _prompts(options: argparse.Namespace) -> int:
    from edge_agent.outbox.view import list_prompts
    from edge_agent.prompt_text import prompts_record, prompts_text
    from edge_agent.uplink.identity import load_enrolment

    settings = read_settings(options.config)
    found = list_prompts(settings.data)
    print(prompts_record(found) if options.json else prompts_text(found, load_enrolment(settings.data).tz))
    return 0


def _answer(options: argparse.Namespace) -> int:
    from edge_agent.clock import make_clock
    from edge_agent.outbox.view import leave_answer
    from protocols.wire.messages import AnswerChoice

    choice = {"yes": AnswerChoice.YES, "no": AnswerChoice.NO, "never": AnswerChoice.NEVER_APPLIANCE}[options.choice]
    settings = read_settings(options.config)
    leave_answer(settings.data, options.prompt, choice=choice, now_s=make_clock(options.clock).now())
    print("saved; the running agent sends it")
    return 0
