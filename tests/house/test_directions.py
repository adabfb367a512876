"""Who may enter whom (docs/architecture.md): the foundation knows nobody, programs never lean on each other."""

from tests.house.source_tree import Source, held_by_all, in_room, sources

OURS = ("protocols", "edge_agent", "hub", "simulator", "tests")

# room -> our modules it may import (dotted prefixes). The most specific room of a module counts. What several rooms
# share stands first: pure subjects, the storage contract, and what crosses the wire.
CONTRACT = (
    "hub.storage.contract",
    "hub.storage.records",
    "hub.storage.rule_records",
    "hub.storage.access_records",
    "hub.storage.account_records",
    "hub.storage.finding_records",
    "hub.storage.fleet_records",
    "hub.storage.maps.records",
    "hub.storage.shared.records",
    "hub.storage.street_records",
    "hub.storage.audit_records",
    "hub.storage.invite_records",
    "hub.storage.household_records",
    "hub.storage.life_records",
    "hub.storage.notice_records",
    "hub.storage.jobs",
)
SHARED = ("hub.core", *CONTRACT, "hub.storage.errors", "protocols")
BOOKS = ("hub.books", "hub.folder", "hub.console")
CORE_BOOKS = ("hub.core.ledger", "hub.core.settlement", "hub.core.allocation", "hub.core.rules", "protocols")
MAY_IMPORT = {
    "protocols": ("protocols",),
    "edge_agent": ("edge_agent", "protocols"),
    "edge_agent.metering": ("edge_agent.metering", "protocols"),
    "edge_agent.maps": ("edge_agent.maps", "edge_agent.sections.factor", "edge_agent.settings", "protocols"),
    "edge_agent.devices": (
        "edge_agent.devices",
        "edge_agent.home_broker",
        "edge_agent.maps",
        "edge_agent.metering",
        "edge_agent.sections.broker_values",
        "edge_agent.settings",
        "protocols",
    ),
    "edge_agent.outbox": ("edge_agent.outbox", "edge_agent.metering", "edge_agent.local_time", "protocols"),
    "edge_agent.uplink": (
        "edge_agent.uplink",
        "edge_agent.outbox",
        "edge_agent.metering",
        "edge_agent.maps.coop",
        "protocols",
    ),
    "edge_agent.home_broker": ("edge_agent.home_broker", "protocols"),
    "edge_agent.home_assistant": (
        "edge_agent.home_assistant",
        "edge_agent.home_broker",
        "edge_agent.home_store",
        "edge_agent.local_time",
        "edge_agent.outbox",
        "edge_agent.page.flows",
        "edge_agent.page.running_home",
        "edge_agent.prompt_text",
        "edge_agent.sections.home_assistant",
        "protocols",
    ),
    "edge_agent.finding": (
        "edge_agent.finding",
        "edge_agent.devices",
        "edge_agent.home_broker",
        "edge_agent.settings",
        "edge_agent.maps.coop",
        "protocols",
    ),
    "edge_agent.setup": (
        "edge_agent.setup",
        "edge_agent.finding",
        "edge_agent.consent.wording",
        "edge_agent.devices",
        "edge_agent.metering.home_meter",
        "edge_agent.sections.broker_values",
        "edge_agent.sections.factor",
        "edge_agent.status_text",
        "edge_agent.uplink",
        "edge_agent.settings",
        "protocols",
    ),
    "edge_agent.home_export": ("edge_agent.home_export", "edge_agent.home_store", "edge_agent.outbox", "protocols"),
    "edge_agent.checkup": (
        "edge_agent.checkup",
        "edge_agent.sections.factor",
        "edge_agent.status_text",
        "edge_agent.devices",
        "edge_agent.uplink",
        "edge_agent.outbox",
        "edge_agent.settings",
        "protocols",
    ),
    "simulator": ("simulator", "protocols"),
    "hub.core": ("hub.core", "protocols"),
    "hub.core.rules": ("hub.core.rules", "protocols"),
    "hub.core.allocation": ("hub.core.allocation", "hub.core.rules", "protocols"),
    "hub.core.settlement": ("hub.core.settlement", "hub.core.allocation", "hub.core.rules", "protocols"),
    "hub.core.ledger": ("hub.core.ledger", "hub.core.settlement", "hub.core.allocation", "hub.core.rules", "protocols"),
    "hub.core.forecasting": ("hub.core.forecasting", "protocols"),
    "hub.core.payments": ("hub.core.payments", *CORE_BOOKS),
    "hub.core.statements": ("hub.core.statements", "hub.core.payments", *CORE_BOOKS),
    "hub.core.grid": ("hub.core.grid", "hub.core.settlement", "hub.core.allocation", "hub.core.rules", "protocols"),
    "hub.core.trials": ("hub.core.trials", *CORE_BOOKS),
    "hub.core.quality": ("hub.core.quality", "hub.core.forecasting", "hub.core.homes", *CORE_BOOKS),
    "hub.core.prompting": ("hub.core.prompting", "hub.core.forecasting", "protocols"),
    "hub.storage": ("hub.storage", "hub.core", "protocols"),
    "hub.folder": (*SHARED, "hub.folder", "hub.storage"),
    "hub.console": (*SHARED, "hub.console"),
    "hub.books": (*SHARED, "hub.books"),
    "hub.quality": (*SHARED, *BOOKS, "hub.quality"),
    "hub.money": (*SHARED, *BOOKS, "hub.money"),
    "hub.board": (*SHARED, *BOOKS, "hub.money", "hub.forecasts", "hub.notices", "hub.trust", "hub.board"),
    "hub.notices": (
        *SHARED,
        *BOOKS,
        "hub.money",
        "hub.web.frame.translation",
        "hub.web.frame.tokens",
        "hub.backups",
        "hub.health",
        "hub.trust",
        "hub.notices",
    ),
    "hub.statements": (*SHARED, *BOOKS, "hub.money", "hub.statements"),
    "hub.trials": (*SHARED, *BOOKS, "hub.trials"),
    "hub.verify": (*SHARED, *BOOKS, "hub.verify"),
    "hub.exchange": (*SHARED, "hub.exchange"),
    "hub.broker": ("hub.broker", "hub.folder", "protocols"),
    "hub.intake": (*SHARED, "hub.health", "hub.intake", "hub.broker", "hub.folder.intake_settings"),
    "hub.trust": (*SHARED, "hub.trust", "hub.folder.setting_values", "hub.folder.keys"),
    "hub.forecasts": (*SHARED, "hub.forecasts", "hub.health", "hub.timetable"),
    "hub.prompts": (*SHARED, "hub.prompts"),
    "hub.backups": (*SHARED, "hub.backups", "hub.console", "hub.folder", "hub.timetable"),
    "hub.job_queue": (*SHARED, "hub.health", "hub.job_queue", "hub.timetable"),
    "hub.timetable": (*SHARED, "hub.health", "hub.timetable"),
    "hub.health": ("hub.health", "protocols"),
    "hub.web": ("hub.web", "hub.core", "hub.health", *CONTRACT, "hub.storage.errors", "protocols"),
    "hub.web.frame": ("hub.web.frame", "hub.core", "hub.health", *CONTRACT, "protocols"),
    "hub.web.views": ("hub.web.views", "hub.web.frame", "hub.core", "hub.health", *CONTRACT, "protocols"),
    "hub": ("hub", "protocols"),
}
# Only the command line itself names the commands.
COMMAND_LINE = "hub.__main__"
# Only a program's entry point names the concrete store; everybody else asks the contract.
CONCRETE_STORE = ("hub.storage.sqlite", "hub.storage.postgres", "hub.storage.sql")
ENTRY_POINTS = ("hub.__main__", "hub.folder.opening", "hub.folder.elsewhere.server_store")
# The modules of a pure room that do I/O, for all programs; nothing pure may import them.
SHARED_SHELL = ("protocols.command_line", "protocols.durable_files", "protocols.service_manager")

# Third-party packages by room: what is not named here is not imported there.
PACKAGES = {
    "protocols": {"cbor2", "cryptography"},
    "edge_agent": {"aiosqlite", "cbor2", "cryptography", "paho", "pymodbus", "serial", "smllib"},
    "hub.core": {"msgspec", "numpy", "statsmodels"},
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


@held_by_all(sources())
def test_a_module_imports_only_the_rooms_it_may_enter(source: Source) -> None:
    allowed = MAY_IMPORT[room_of(source)]
    for found in source.imports:
        if found.module.split(".")[0] not in OURS:
            continue
        inside = any(found.module == room or found.module.startswith(f"{room}.") for room in allowed)
        # `from hub.storage import records` names the package first: the package itself is not a door.
        is_package_of_allowed = any(room.startswith(f"{found.module}.") for room in allowed)
        assert inside or is_package_of_allowed, f"{source.path}:{found.line} may not import {found.module}"


@held_by_all([s for s in sources() if in_room(s, "hub")])
def test_only_the_entry_point_names_the_concrete_store(source: Source) -> None:
    if in_room(source, "hub.storage") or source.name in ENTRY_POINTS:
        return
    for found in source.imports:
        assert not found.module.startswith(CONCRETE_STORE), f"{source.path}:{found.line}: ask the storage contract"


@held_by_all(sources())
def test_the_light_rooms_import_only_their_few_packages(source: Source) -> None:
    import sys

    rooms = [room for room in PACKAGES if in_room(source, room)]
    if not rooms:
        return
    allowed = PACKAGES[max(rooms, key=len)]
    for found in source.imports:
        top = found.module.split(".")[0]
        known = top in sys.stdlib_module_names or top in OURS or top in allowed
        assert known, f"{source.path}:{found.line}: {top} is not a package of this room"


def test_statsmodels_and_scipy_stay_in_the_forecast_worker() -> None:
    for source in sources():
        for found in source.imports:
            if found.module.split(".")[0] in {"statsmodels", "scipy", "pandas"} and in_room(source, "hub"):
                assert in_room(source, STATSMODELS_ONLY_IN), f"{source.path}:{found.line}"


@held_by_all(sources())
def test_nothing_but_the_command_line_imports_a_command(source: Source) -> None:
    if source.name == COMMAND_LINE or in_room(source, "hub.commands"):
        return
    for found in source.imports:
        assert not found.module.startswith("hub.commands"), f"{source.path}:{found.line} may not import a command"


PURE = [s for s in sources() if (in_room(s, "protocols") or in_room(s, "hub.core")) and s.name not in SHARED_SHELL]


@held_by_all(PURE)
def test_the_pure_rooms_touch_no_clock_randomness_socket_file_or_database(source: Source) -> None:
    import ast

    for found in source.imports:
        top = found.module.split(".")[0]
        assert top not in IMPURE, f"{source.path}:{found.line}: {found.module} is not pure"
        assert not found.module.startswith(SHARED_SHELL), f"{source.path}:{found.line}: {found.module} does I/O"
    for node in source.nodes:
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in IMPURE_CALLS, f"{source.path}:{node.lineno}: {name}() is not pure"
