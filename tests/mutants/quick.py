"""A pytest plugin for runs against mutants: the first failing example is enough, so none is made smaller."""

import pytest
from hypothesis import Phase, settings


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """The project's own profile without the phases that come after a failure."""
    found_is_enough = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", settings.get_profile("same-everywhere"), phases=found_is_enough)
    settings.load_profile("mutants")
