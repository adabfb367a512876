"""A household's appliances: the form it fills in, and the checks on what it enters. Pure.

A run lies between the earliest and the latest slot of the local day; the latest is the run's last slot. A latest slot
before the earliest means the next morning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hub.storage.records import Appliance
from hub.web.frame.guard import PageError
from hub.web.frame.translation import Localizer

ENERGY_WH_MAX: Final = 100_000
DURATION_SLOTS_MAX: Final = 48
SLOTS_OF_DAY: Final = 96
_WH_PER_KWH: Final = 1000
_MINUTES: Final = 15

USUAL: Final = {
    "dishwasher": Appliance("", "dishwasher", 1000, 6, 80, 28, 92, True),
    "washing_machine": Appliance("", "washing_machine", 900, 6, 76, 28, 84, True),
    "dryer": Appliance("", "dryer", 1500, 6, 80, 32, 84, True),
    "ev": Appliance("", "ev", 9000, 12, 76, 0, 95, True),
    "hot_water": Appliance("", "hot_water", 2500, 5, 24, 0, 95, True),
}
"""The kinds the hub knows, with typical values that the form shows as first guesses."""


@dataclass(frozen=True, slots=True)
class ApplianceField:
    """One kind's part of the form, with the field values as the browser expects them."""

    kind: str
    label: str
    is_here: bool
    is_asked: bool
    energy_kwh: str
    duration_min: int
    usual: str
    earliest: str
    done_by: str


def appliance_label(kind: str, words: Localizer) -> str:
    """The everyday name of the appliance."""
    labels = {
        "dishwasher": words.text("dishwasher"),
        "washing_machine": words.text("washing machine"),
        "dryer": words.text("dryer"),
        "ev": words.text("electric car"),
        "hot_water": words.text("hot water"),
    }
    return labels.get(kind, kind.replace("_", " "))


def appliance_fields(appliances: Sequence[Appliance], words: Localizer) -> tuple[ApplianceField, ...]:
    """The form's current values: what the household entered, and first guesses for the rest."""
    known = {appliance.kind: appliance for appliance in appliances}
    fields = []
    for kind, guess in USUAL.items():
        shown = known.get(kind, guess)
        fields.append(
            ApplianceField(
                kind=kind,
                label=appliance_label(kind, words),
                is_here=kind in known,
                is_asked=shown.is_asked,
                energy_kwh=f"{shown.energy_wh / _WH_PER_KWH:g}",
                duration_min=shown.duration_slots * _MINUTES,
                usual=_time(shown.usual_slot_of_day),
                earliest=_time(shown.earliest_slot_of_day),
                done_by=_time((shown.latest_slot_of_day + 1) % SLOTS_OF_DAY),
            )
        )
    return tuple(fields)


def appliances_from_form(home: str, form: Mapping[str, str], words: Localizer) -> tuple[Appliance, ...]:
    """The appliances in a posted form.

    Raises: PageError(422), which names the appliance and the field.
    """
    found = []
    for kind in USUAL:
        if f"{kind}-here" not in form:
            continue
        label = appliance_label(kind, words)
        energy_kwh = _number(form, f"{kind}-energy", label=label, words=words)
        minutes = _number(form, f"{kind}-duration", label=label, words=words)
        appliance = Appliance(
            home=home,
            kind=kind,
            energy_wh=round(energy_kwh * _WH_PER_KWH),
            duration_slots=-(-round(minutes) // _MINUTES),
            usual_slot_of_day=_slot(form, f"{kind}-usual", label=label, words=words),
            earliest_slot_of_day=_slot(form, f"{kind}-earliest", label=label, words=words),
            latest_slot_of_day=(_slot(form, f"{kind}-done-by", label=label, words=words) - 1) % SLOTS_OF_DAY,
            is_asked=f"{kind}-asked" in form,
        )
        _check(appliance, label=label, words=words)
        found.append(appliance)
    return tuple(found)


_JSON_KEYS: Final = (
    "kind",
    "energy_wh",
    "duration_slots",
    "usual_slot_of_day",
    "earliest_slot_of_day",
    "latest_slot_of_day",
    "is_asked",
)


def appliances_from_json(home: str, content: object, words: Localizer) -> tuple[Appliance, ...]:
    """The appliances in a posted JSON list; each entry has exactly the fields of `Appliance` except the home.

    Raises: PageError(422), which names the entry.
    """
    if not isinstance(content, list) or len(content) > len(USUAL):
        raise PageError(
            422,
            words.plural(
                "Send a list of at most %(n)s appliance.", "Send a list of at most %(n)s appliances.", len(USUAL)
            ),
        )
    found: list[Appliance] = []
    for i, entry in enumerate(content):
        if not isinstance(entry, dict) or set(entry) != set(_JSON_KEYS):
            raise PageError(
                422,
                words.text(
                    "Entry %(n)s: an appliance has exactly these fields: %(fields)s.", n=i, fields=", ".join(_JSON_KEYS)
                ),
            )
        kind, is_asked = entry["kind"], entry["is_asked"]
        numbers = [entry[key] for key in _JSON_KEYS[1:-1]]
        if not isinstance(kind, str) or kind not in USUAL or any(kind == other.kind for other in found):
            raise PageError(
                422,
                words.text(
                    "Entry %(n)s: kind is one of these, each at most once: %(kinds)s.", n=i, kinds=", ".join(USUAL)
                ),
            )
        if any(type(number) is not int for number in numbers) or type(is_asked) is not bool:
            raise PageError(
                422, words.text("Entry %(n)s: energies and slots are whole numbers, is_asked is true or false.", n=i)
            )
        energy_wh, duration_slots, usual, earliest, latest = numbers
        appliance = Appliance(home, kind, energy_wh, duration_slots, usual, earliest, latest, is_asked)
        _check(appliance, label=kind, words=words)
        found.append(appliance)
    return tuple(found)


def appliance_json(appliance: Appliance) -> dict[str, object]:
    """One appliance in the form that `appliances_from_json` accepts."""
    return {key: getattr(appliance, key) for key in _JSON_KEYS}


def _check(appliance: Appliance, *, label: str, words: Localizer) -> None:
    if not 0 < appliance.energy_wh <= ENERGY_WH_MAX:
        raise PageError(
            422,
            words.text(
                "%(what)s: the energy of one run must be more than 0 and at most %(most)s kWh.",
                what=label,
                most=words.number(ENERGY_WH_MAX / _WH_PER_KWH),
            ),
        )
    if not 0 < appliance.duration_slots <= DURATION_SLOTS_MAX:
        raise PageError(
            422,
            words.plural(
                "%(what)s: a run takes at least 15 minutes and at most %(n)s minute.",
                "%(what)s: a run takes at least 15 minutes and at most %(n)s minutes.",
                DURATION_SLOTS_MAX * _MINUTES,
                what=label,
            ),
        )
    times = (appliance.usual_slot_of_day, appliance.earliest_slot_of_day, appliance.latest_slot_of_day)
    if any(not 0 <= slot < SLOTS_OF_DAY for slot in times):
        raise PageError(422, words.text("%(what)s: the times must be between 00:00 and 23:45.", what=label))
    hours_slots = (appliance.latest_slot_of_day - appliance.earliest_slot_of_day) % SLOTS_OF_DAY + 1
    if hours_slots < appliance.duration_slots:
        raise PageError(422, words.text("%(what)s: one run does not fit between these two times.", what=label))


def _time(slot_of_day: int) -> str:
    return f"{slot_of_day // 4:02}:{slot_of_day % 4 * _MINUTES:02}"


def _number(form: Mapping[str, str], name: str, *, label: str, words: Localizer) -> float:
    text = form.get(name, "").strip().replace(",", ".")
    digits = text.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(text) <= 9):
        raise PageError(422, words.text("%(what)s: enter energy and minutes as numbers.", what=label))
    return float(text)


def _slot(form: Mapping[str, str], name: str, *, label: str, words: Localizer) -> int:
    hour, colon, minute = form.get(name, "").strip().partition(":")
    is_time = colon and all(part.isascii() and part.isdigit() and len(part) <= 2 for part in (hour, minute))
    if not is_time or int(hour) > 23 or int(minute) > 59:
        raise PageError(422, words.text("%(what)s: enter times as hours and minutes, like 18:30.", what=label))
    return int(hour) * 4 + int(minute) // _MINUTES
