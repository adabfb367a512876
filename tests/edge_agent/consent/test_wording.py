"""What a consent lets out is said in plain words, for every measure."""

from edge_agent.consent.wording import measures_words
from protocols.quantities import Measure


def test_every_measure_has_plain_words() -> None:
    for measure in Measure:
        assert measures_words((measure,)) != measure.code, measure
