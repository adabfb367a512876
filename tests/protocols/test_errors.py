"""One family of errors: whatever protocols raises for a person, a program's main() catches by one name."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from protocols.errors import (
    ClockFileError,
    CommonwattError,
    IdentityError,
    InputError,
    RequestError,
    SettingsError,
)

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "protocols").rglob("*.py")
    if path.name != "__init__.py"
)


def exceptions_of(module: str) -> list[type[Exception]]:
    """The exception classes a module defines."""
    defined = vars(importlib.import_module(module)).values()
    return [
        each for each in defined if isinstance(each, type) and issubclass(each, Exception) and each.__module__ == module
    ]


def test_every_error_of_protocols_belongs_to_the_family() -> None:
    found = {error.__name__: error for module in MODULES for error in exceptions_of(module)}
    assert {"MapError", "PlanError", "RegisterError", "WireError"} < set(found)
    assert [name for name, error in found.items() if not issubclass(error, CommonwattError)] == []


@pytest.mark.parametrize("error", [InputError, RequestError, SettingsError, ClockFileError, IdentityError])
def test_an_error_ends_a_command_with_its_exit_status(error: type[CommonwattError]) -> None:
    with pytest.raises(CommonwattError, match=r"^hub\.toml: coop: missing, expected a name$") as caught:
        raise error("hub.toml: coop: missing, expected a name")
    assert caught.value.exit_status == 1


def test_a_subclass_may_end_with_another_status() -> None:
    class Interrupted(RequestError):
        exit_status = 130

    assert (Interrupted("stopped").exit_status, RequestError("stopped").exit_status) == (130, 1)


@pytest.mark.parametrize(
    ("error", "is_value_error"),
    [
        (InputError, True),
        (SettingsError, True),
        (ClockFileError, True),
        (RequestError, False),
        (IdentityError, False),
        (CommonwattError, False),
    ],
)
def test_only_errors_of_input_are_value_errors(error: type[Exception], is_value_error: bool) -> None:
    assert issubclass(error, ValueError) is is_value_error
