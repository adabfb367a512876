"""Health as another process of the hub reports it: plain values from JSON become checked ones."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from protocols.errors import CommonwattError

T = TypeVar("T")


class HealthReportError(CommonwattError):
    """What a process reports is not what this program expects of it."""


def read_health(facts: Mapping[str, Any], kind: type[T]) -> T:
    """The facts as this kind of health. Raises: HealthReportError."""
    try:
        return msgspec.convert(facts, kind)
    except msgspec.ValidationError as error:
        raise HealthReportError(f"a process of the hub reports its health in another form: {error}") from None
