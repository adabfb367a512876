"""An agent that a restored hub does not know says so in one line a day; an answered one never does."""

import logging

import pytest

from edge_agent.uplink.silence import AGAIN_AFTER_S, SILENT_AFTER_S, HubSilence


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "answered nothing" in record.getMessage()]


def test_silence_is_said_once_a_day_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    silence = HubSilence()
    with caplog.at_level(logging.ERROR):
        for minute in range(0, 2 * 24 * 60, 15):
            silence.note_sent(minute * 60.0)
            silence.check(minute * 60.0)
    assert len(lines(caplog)) == 2
    assert "answered nothing for 3 hours" in lines(caplog)[0]
    assert "ask the board for a new invitation" in lines(caplog)[0]


def test_an_answer_ends_it_and_nothing_sent_means_no_silence(caplog: pytest.LogCaptureFixture) -> None:
    silence = HubSilence()
    with caplog.at_level(logging.ERROR):
        silence.check(10 * AGAIN_AFTER_S)
        silence.note_sent(0.0)
        silence.note_heard()
        silence.check(10 * AGAIN_AFTER_S)
        silence.note_sent(10 * AGAIN_AFTER_S)
        silence.check(10 * AGAIN_AFTER_S + SILENT_AFTER_S - 1)
    assert lines(caplog) == []
