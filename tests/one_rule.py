"""One test of a rule that each of many cases must hold; it goes through all of them and names every one that does not.

As a test of its own, each of thousands of small cases costs more than what it looks at.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

Check = Callable[..., Any]
NOTHING = "a rule about nothing is always held"


Cases = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


def held_by_each(cases: Cases) -> Callable[[Check], Callable[..., None]]:
    """Make one test of a check, plain or async, that takes a case and perhaps fixtures after it.

    A function that gives the cases is asked when the test runs: cases that take long to make delay no other test.
    """
    assert cases, NOTHING

    def with_cases(check: Check) -> Callable[..., None]:
        @wraps(check)
        def test(**fixtures: Any) -> None:
            wrong: dict[str, Exception] = {}
            given = cases() if callable(cases) else cases
            assert given, NOTHING
            for name, case in given.items():
                try:
                    pending = check(case, **fixtures)
                    if pending is not None:
                        asyncio.run(pending)
                except Exception as problem:  # what is wrong with one case hides no other
                    wrong[name] = problem
            if wrong:
                lines = [f"{name}: {_first_line(problem)}" for name, problem in wrong.items()]
                # The first of them comes with its traceback.
                raise AssertionError("\n".join(lines)) from next(iter(wrong.values()))

        # pytest looks at what a wrapper wraps, and would ask for a fixture called like the case.
        del test.__wrapped__  # type: ignore[attr-defined]
        _, *asked = inspect.signature(check).parameters.values()
        named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in asked]
        test.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
        return test

    return with_cases


def _first_line(problem: Exception) -> str:
    said = next(iter(str(problem).splitlines()), "")
    return said if isinstance(problem, AssertionError) and said else f"{type(problem).__name__} {said}".rstrip()
