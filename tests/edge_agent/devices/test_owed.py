"""What may still arrive, and which read proves that it can no longer be taken for another's answer."""

from edge_agent.devices.owed import OwedAnswers, Question

ASKED = Question(1, 3, 100, 12)
OTHER = Question(1, 3, 400, 12)


def test_after_a_silence_a_read_of_another_length_is_asked_until_it_is_answered() -> None:
    owed = OwedAnswers(4, mixes_units=False)
    assert not owed.must_prove(ASKED)
    owed.owe(ASKED, 10)
    assert owed.must_prove(OTHER)
    proof = owed.proof(OTHER, 10)
    assert proof == Question(1, 3, 400, 2), "inside what is asked anyway, so never a forbidden register"
    owed.owe(proof, 11)
    assert owed.proof(OTHER, 11) == Question(1, 3, 400, 4)
    owed.settle(OTHER)
    assert not owed.must_prove(OTHER)


def test_what_the_device_gave_before_is_the_best_proof() -> None:
    owed = OwedAnswers(4, mixes_units=False)
    given = Question(1, 4, 7, 5)
    owed.remember(given)
    owed.owe(ASKED, 10)
    assert owed.proof(OTHER, 10) == given
    assert owed.proof(given, 10) == Question(1, 4, 7, 2)


def test_another_unit_is_only_doubted_behind_a_gateway() -> None:
    second = Question(2, 3, 100, 12)
    for mixes_units in (False, True):
        owed = OwedAnswers(4, mixes_units=mixes_units)
        owed.owe(ASKED, 10)
        assert owed.must_prove(second) is mixes_units
        assert owed.is_suspect(second, 10) is mixes_units


def test_a_length_stays_suspect_for_a_while_after_the_proof() -> None:
    owed = OwedAnswers(4, mixes_units=False)
    owed.owe(ASKED, 10)
    owed.settle(ASKED)
    assert owed.is_suspect(OTHER, 13.9)
    assert not owed.is_suspect(OTHER, 14)
    assert not owed.is_suspect(Question(1, 3, 400, 11), 11)


def test_one_register_and_nothing_else_known_has_no_proof() -> None:
    owed = OwedAnswers(4, mixes_units=False)
    single = Question(1, 3, 5, 1)
    owed.owe(single, 0)
    assert owed.proof(single, 0) is None
