"""Opens a hub's folder: settings, key and store, checked to belong together. It chooses the store and runs nothing.

Every command starts here, so it imports nothing that only a running hub needs.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from hub.core.rules.part_months import BY_DAY, PART_MONTHS
from hub.core.rules.rulebook import Prices, Rule
from hub.folder.elsewhere.store_settings import StoreSettings
from hub.folder.keys.signer import load_signer
from hub.folder.paths import STORE_NAME
from hub.folder.settings import HubSettings, RuleSettings, load_settings
from hub.storage.audit_records import FileCheck
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.storage.sqlite.row_log.file_check import check_file
from hub.storage.sqlite.row_log.file_copy import copy_file
from hub.storage.sqlite.store import SqliteStore
from protocols.hub_keys import HubSigner
from protocols.timeline import Clock

log = logging.getLogger(__name__)

FIRST_RULE_DAY: Final = "1970-01-01"


@dataclass(frozen=True, slots=True)
class OpenHub:
    """A hub that a command has opened: its settings, what it signs with, its store, and when it was opened."""

    settings: HubSettings
    signer: HubSigner
    store: Store
    opened_at: int

    @property
    def today(self) -> date:
        """The co-op's local day when the hub was opened."""
        return datetime.fromtimestamp(self.opened_at, UTC).astimezone(ZoneInfo(self.settings.coop.tz)).date()


@asynccontextmanager
async def opened_hub(folder: Path, *, clock: Clock) -> AsyncIterator[OpenHub]:
    """An existing hub, open inside the block. Raises: SettingsError, IdentityError or StoreError."""
    settings, signer, store = await open_hub(folder, clock=clock)
    try:
        yield OpenHub(settings, signer, store, int(clock.now()))
    finally:
        await store.close()


async def check_store(folder: Path, *, within_s: float) -> FileCheck:
    """The first damage found in the store's file within this many seconds, before anything opens it for writing.

    A server looks at each page that it reads by itself. Raises: SettingsError, or StoreError if there is no store.
    """
    if load_settings(folder).store is not None:
        return FileCheck(None, is_whole=True)
    return await check_file(folder / STORE_NAME, within_s=within_s)


def copy_store(folder: Path, copy: Path) -> None:
    """Write a consistent copy of the store to a new file, while the hub runs or not.

    Raises: StoreError if the store is damaged or on a server; OSError if the copy cannot be written.
    """
    if load_settings(folder).store is not None:
        raise StoreError("the store is on a server, which is backed up there with this folder: see docs/postgres.md")
    copy_file(folder / STORE_NAME, copy)


async def open_store(folder: Path, *, clock: Clock, create: bool = False, server: StoreSettings | None = None) -> Store:
    """The hub's store, whose log of rows the hub's key signs: the folder's file, or the one on this server.

    Raises: IdentityError, SettingsError or StoreError.
    """
    signer = load_signer(folder)
    if server is not None:
        # Only who uses a server installs what speaks to it.
        try:
            from hub.folder.elsewhere.server_store import open_on_server  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise StoreError(f"{error.name} is not installed: pip install 'commonwatt[hub,postgres]'") from None
        return await open_on_server(server, clock=clock, signer=signer)
    return await SqliteStore.open(folder / STORE_NAME, now=clock.now, create=create, signer=signer)


async def open_hub(folder: Path, *, clock: Clock, takes_rule: bool = True) -> tuple[HubSettings, HubSigner, Store]:
    """The settings, signer and store of an existing hub, checked to belong together; the caller closes the store.

    With `takes_rule`, the rule in the settings becomes the rulebook's first rule, once; until then it may be edited.
    Raises: SettingsError, IdentityError or StoreError, each with a one-line message.
    """
    settings = load_settings(folder)
    signer = load_signer(folder)
    store = await open_store(folder, clock=clock, server=settings.store)
    try:
        await store.require_own()
        await store.set_coop(settings.coop)
        if takes_rule:
            await _add_first_rule(store, settings.rules)
    except BaseException:
        await store.close()
        raise
    return settings, signer, store


async def _add_first_rule(store: Store, rules: RuleSettings) -> None:
    rule = first_rule(rules)
    held = await store.journal_rules()
    if not held:
        await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day=FIRST_RULE_DAY)
    elif held[0].hash not in _versions(rule, is_said=rules.part_month_fee is not None):
        log.warning(
            "hub.toml: [rules] was edited after it became the first rule of the rulebook: the edit has no effect;"
            " for a new version use commonwatt-hub rules propose"
        )


def _versions(rule: Rule, *, is_said: bool) -> frozenset[str]:
    """The versions of the first rule that the settings allow: if they do not name a way for part months, any way."""
    ways = (rule.part_month_fee,) if is_said else PART_MONTHS
    return frozenset(replace(rule, part_month_fee=way).version() for way in ways)


def first_rule(rules: RuleSettings) -> Rule:
    """The rule a co-op starts with, from its settings. A part of a month counts by day unless they say otherwise."""
    prices = Prices(
        buy_micro_per_kwh=rules.buy_micro_per_kwh,
        sell_micro_per_kwh=rules.sell_micro_per_kwh,
        retail_micro_per_kwh=rules.retail_micro_per_kwh,
        feedin_micro_per_kwh=rules.feedin_micro_per_kwh,
    )
    return Rule(
        method=rules.method,
        prices=prices,
        connection_w=rules.connection_w,
        estimate=rules.estimate,
        part_month_fee=rules.part_month_fee or BY_DAY,
        aggregate=rules.aggregate,
        netting=rules.netting,
        derived=rules.derived,
    )
