"""One hub's folder for all tests of a process; each test works on a copy."""

import shutil
from pathlib import Path

import pytest

from tests.hub.verify.tampering import make_hub


@pytest.fixture(scope="session")
def kept_hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub with every kind of row; not to be written to."""
    return make_hub(tmp_path_factory.mktemp("invented"))


@pytest.fixture
def hub(kept_hub: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(kept_hub, tmp_path / "hub")
    return tmp_path / "hub"
