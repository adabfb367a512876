"""A hub's folder opened: settings, key and store, found to belong together. Names the concrete store; runs nothing.

Every command begins here, so nothing is imported that only a running hub needs.
"""

import logging
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.core.rules.rulebook import Prices, Rule
from hub.folder.identity import load_key
from hub.folder.paths import KEY_NAME, STORE_NAME
from hub.folder.settings import HubSettings, RuleSettings, load_settings
from hub.storage.contract import Store
from hub.storage.errors import StoreError
from hub.storage.sqlite.store import SqliteStore
from protocols.timeline import Clock

log = logging.getLogger(__name__)

FIRST_RULE_DAY: Final = "1970-01-01"


async def open_store(folder: Path, *, clock: Clock, create: bool = False) -> Store:
    """The hub's store. Raises: StoreError."""
    return await SqliteStore.open(folder / STORE_NAME, now=clock.now, create=create)


async def open_hub(
    folder: Path, *, clock: Clock, takes_rule: bool = True
) -> tuple[HubSettings, Ed25519PrivateKey, Store]:
    """Settings, key and store of an existing hub, found to belong together; the caller closes the store.

    With `takes_rule` the settings' rule becomes the first of the rulebook, once; until then it may be edited.
    Raises: SettingsError, IdentityError or StoreError, each with one line.
    """
    settings = load_settings(folder)
    key = load_key(folder / KEY_NAME)
    store = await open_store(folder, clock=clock)
    try:
        await store.set_coop(settings.coop)
        if takes_rule:
            await _take_first_rule(store, settings.rules)
    except BaseException:
        await store.close()
        raise
    return settings, key, store


async def _take_first_rule(store: Store, rules: RuleSettings) -> None:
    rule = first_rule(rules)
    try:
        taken, _ = await store.rule_on(FIRST_RULE_DAY)
    except StoreError:
        await store.add_rule(rule.version(), canonical=rule.canonical(), valid_from_day=FIRST_RULE_DAY)
        return
    if taken != rule.version():
        log.warning(
            "hub.toml: [rules] was edited after the rulebook had taken its first rule: the edit changes nothing"
        )


def first_rule(rules: RuleSettings) -> Rule:
    """The rule a co-op begins with, from its settings."""
    prices = Prices(
        buy_micro_per_kwh=rules.buy_micro_per_kwh,
        sell_micro_per_kwh=rules.sell_micro_per_kwh,
        retail_micro_per_kwh=rules.retail_micro_per_kwh,
        feedin_micro_per_kwh=rules.feedin_micro_per_kwh,
    )
    return Rule(method=rules.method, prices=prices, connection_w=rules.connection_w, estimate=rules.estimate)
