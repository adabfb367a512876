"""Who may enter whom (docs/architecture.md): the foundation knows nobody, programs never lean on each other."""

import pytest

from tests.house.source_tree import Source, in_room, sources

OURS = ("protocols", "edge_agent", "hub", "simulator", "tests")

# room -> our modules it may import (dotted prefixes). The most specific room of a module counts.
MAY_IMPORT = {
    "protocols": ("protocols",),
    "edge_agent": ("edge_agent", "protocols"),
    "simulator": ("simulator", "protocols"),
    "hub.core": ("hub.core", "protocols"),
    "hub.storage": ("hub.storage", "hub.core", "protocols"),
    "hub.web": (
        *("hub.web", "hub.core", "hub.storage.contract", "hub.storage.records", "hub.storage.account_records"),
        *("hub.storage.finding_records", "protocols"),
    ),
    "hub": ("hub", "protocols"),
}
# Only a program's entry point names the concrete store; everybody else asks the contract.
CONCRETE_STORE = ("hub.storage.sqlite.store", "hub.storage.sqlite.schema")
ENTRY_POINTS = ("hub.__main__", "hub.folder.opening")

# Third-party packages by room: what is not named here is not imported there.
PACKAGES = {
    "protocols": {"cbor2", "cryptography"},
    "edge_agent": {"aiosqlite", "cbor2", "cryptography", "paho", "pymodbus", "serial"},
    "hub.core": {"numpy", "statsmodels"},
}
STATSMODELS_ONLY_IN = "hub.core"
IMPURE = {
    "aiosqlite",
    "asyncio",
    "http",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
IMPURE_CALLS = {"open", "input", "print", "datetime.now", "datetime.utcnow", "date.today", "default_rng"}


def room_of(source: Source) -> str:
    return max((room for room in MAY_IMPORT if in_room(source, room)), key=len)


@pytest.mark.parametrize("source", sources(), ids=lambda s: s.name)
def test_a_module_imports_only_the_rooms_it_may_enter(source: Source) -> None:
    allowed = MAY_IMPORT[room_of(source)]
    for found in source.imports():
        if found.module.split(".")[0] not in OURS:
            continue
        inside = any(found.module == room or found.module.startswith(f"{room}.") for room in allowed)
        # `from hub.storage import records` names the package first: the package itself is not a door.
        is_package_of_allowed = any(room.startswith(f"{found.module}.") for room in allowed)
        assert inside or is_package_of_allowed, f"{source.path}:{found.line} may not import {found.module}"


@pytest.mark.parametrize("source", [s for s in sources() if in_room(s, "hub")], ids=lambda s: s.name)
def test_only_the_entry_point_names_the_concrete_store(source: Source) -> None:
    if in_room(source, "hub.storage") or source.name in ENTRY_POINTS:
        return
    for found in source.imports():
        assert not found.module.startswith(CONCRETE_STORE), f"{source.path}:{found.line}: ask the storage contract"


@pytest.mark.parametrize("source", sources(), ids=lambda s: s.name)
def test_the_light_rooms_import_only_their_few_packages(source: Source) -> None:
    import sys

    allowed = PACKAGES.get(room_of(source))
    if allowed is None:
        return
    for found in source.imports():
        top = found.module.split(".")[0]
        known = top in sys.stdlib_module_names or top in OURS or top in allowed
        assert known, f"{source.path}:{found.line}: {top} is not a package of this room"


def test_statsmodels_and_scipy_stay_in_the_forecast_worker() -> None:
    for source in sources():
        for found in source.imports():
            if found.module.split(".")[0] in {"statsmodels", "scipy", "pandas"} and in_room(source, "hub"):
                assert in_room(source, STATSMODELS_ONLY_IN), f"{source.path}:{found.line}"


@pytest.mark.parametrize(
    "source", [s for s in sources() if in_room(s, "protocols") or in_room(s, "hub.core")], ids=lambda s: s.name
)
def test_the_pure_rooms_touch_no_clock_randomness_socket_file_or_database(source: Source) -> None:
    import ast

    for found in source.imports():
        top = found.module.split(".")[0]
        assert top not in IMPURE, f"{source.path}:{found.line}: {found.module} is not pure"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in IMPURE_CALLS, f"{source.path}:{node.lineno}: {name}() is not pure"
