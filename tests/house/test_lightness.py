"""What a program loads: the agent stays light for a small computer, the hub leaves heavy numbers to its worker.

The simulator starts at once, because the packages that only pvlib's other modules need stay away.

Intake, which receipts wait for, starts again at once because it loads neither numbers nor pages.
"""

import subprocess
import sys
from functools import cache

import pytest

from tests.house.source_tree import ROOT

HEAVY = ("numpy", "pandas", "scipy", "statsmodels", "fastapi", "pydantic", "starlette", "uvicorn", "hub", "simulator")


@cache
def modules_after(statement: str) -> frozenset[str]:
    code = f"import sys; {statement}; print(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return frozenset(done.stdout.split())


WALK = "pkgutil.walk_packages(edge_agent.__path__, 'edge_agent.')"
WHOLE_AGENT = f"import pkgutil, importlib, edge_agent; [importlib.import_module(m.name) for m in {WALK}]"


@pytest.mark.parametrize("package", HEAVY)
def test_the_agent_loads_nothing_heavy(package: str) -> None:
    assert package not in modules_after(WHOLE_AGENT)


def test_what_was_loaded_is_every_module_of_the_agent() -> None:
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "edge_agent").rglob("*.py")]
    names = {".".join(path.parts).removesuffix(".__init__") for path in files}
    assert names - modules_after(WHOLE_AGENT) == set()


@pytest.mark.parametrize("package", ["statsmodels", "scipy", "pandas", "simulator", "edge_agent"])
def test_the_hubs_server_leaves_heavy_numbers_to_its_worker(package: str) -> None:
    assert package not in modules_after("import hub.web.app, hub.intake.receiver, hub.timetable, hub.__main__")


@pytest.mark.parametrize("package", ["numpy", "statsmodels", "fastapi", "starlette", "uvicorn", "jinja2", "babel"])
def test_intake_loads_neither_numbers_nor_pages(package: str) -> None:
    assert package not in modules_after("import hub.processes.part, hub.processes.intake")


@pytest.mark.parametrize("package", ["numpy", "statsmodels", "fastapi", "starlette", "uvicorn", "pydantic", "jinja2"])
def test_the_process_that_runs_the_others_loads_neither_numbers_nor_pages(package: str) -> None:
    assert package not in modules_after("import hub.__main__, hub.commands.operation.run")


@pytest.mark.parametrize("package", ["numpy", "statsmodels", "fastapi", "jinja2"])
@pytest.mark.parametrize(
    "command", ["operation.init", "members.invite", "members.sign_in", "operation.status", "ledger"]
)
def test_a_command_that_computes_nothing_starts_without_numbers_and_pages(command: str, package: str) -> None:
    assert package not in modules_after(f"import hub.__main__, hub.commands.{command}")


@pytest.mark.parametrize("package", ["pandas", "scipy", "pvlib", "requests", "fastapi", "hub", "edge_agent"])
def test_the_simulator_starts_without_what_takes_seconds_to_load(package: str) -> None:
    street = "Street(seed=1, homes=1, first_day=20600).physics('h01').day(20600)"
    imports = "import simulator.__main__, simulator.commands.street, simulator.commands.device, simulator.commands.demo"
    assert package not in modules_after(f"{imports}; from simulator.world.street import Street; {street}")
