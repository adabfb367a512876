"""`commonwatt-hub presets`: the ways of sharing by country, for people, for programs, and as the page in docs/."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from hub.core.rules.country_presets import PRESETS
from hub.core.rules.preset_form import Preset
from hub.core.rules.presets import PresetError, find_preset

REFUSED_STATUS: Final = 2
COUNTRIES: Final = {
    "AT": "Austria",
    "BE": "Belgium",
    "CH": "Switzerland",
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "IT": "Italy",
    "LU": "Luxembourg",
    "PT": "Portugal",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("preset", nargs="?", help="show one preset with its sources and what it does not cover")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print the page docs/presets.md")


def run(args: argparse.Namespace) -> int:
    """Print the presets, or the one that was named; returns 0, or 2 if no preset has that name."""
    try:
        chosen = PRESETS if args.preset is None else (find_preset(args.preset),)
    except PresetError as error:
        sys.stderr.write(f"commonwatt-hub: {error}\n")
        return REFUSED_STATUS
    if args.json:
        json.dump([preset_document(preset) for preset in chosen], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    elif args.markdown:
        sys.stdout.write(presets_page(chosen))
    else:
        lines = _table(chosen) if args.preset is None else _details(chosen[0])
        sys.stdout.write("\n".join(lines) + "\n")
    return 0


def preset_document(preset: Preset) -> dict[str, object]:
    """A preset as JSON; `rule` is what to copy into a case file before filling in the rest."""
    return {
        "id": preset.id,
        "country": preset.country,
        "name": preset.name,
        "rule": {"method": preset.method, "aggregate": preset.aggregate}
        | ({"netting": preset.netting} if preset.netted else {}),
        "weights": "equal" if preset.equal_weights else None,
        "must_fill": {parameter.place: parameter.meaning for parameter in preset.must_fill},
        "may_fill": {parameter.place: parameter.meaning for parameter in preset.may_fill},
        "sources": list(preset.sources),
        "not_covered": list(preset.not_covered),
    }


def presets_page(presets: Sequence[Preset]) -> str:
    """The presets as a page in Markdown; docs/presets.md is this text."""
    return "\n".join(_page_lines(presets)) + "\n"


def _page_lines(presets: Sequence[Preset]) -> Iterator[str]:
    yield "# Presets by country"
    yield ""
    yield "Ready-made starting points for a rule. Each names the method, the step, what the co-op fills in, where it"
    yield "comes from and what it does not cover; none of it is legal advice. This page is the output of"
    yield "`commonwatt-hub presets --markdown`, and a test keeps the two the same."
    for country, group in groupby(presets, key=lambda preset: preset.country):
        yield ""
        yield f"## {COUNTRIES[country]}"
        for preset in group:
            yield ""
            yield f"### `{preset.id}`"
            yield ""
            netted = f", each member {preset.netted} first" if preset.netted else ""
            yield f"{preset.name}. Method `{preset.method}`, shared by the {preset.step}{netted}."
            yield ""
            for label, texts in _sections(preset):
                yield f"- {label}:"
                yield from (f"  - {text}" for text in texts)


def _sections(preset: Preset) -> Iterator[tuple[str, Sequence[str]]]:
    fill = [f"`{parameter.place}`: {parameter.meaning}" for parameter in preset.must_fill]
    if preset.equal_weights:
        fill.append("nothing: every member has the same weight")
    yield "Must be filled in", fill or ["nothing"]
    if preset.may_fill:
        yield "May be filled in", [f"`{parameter.place}`: {parameter.meaning}" for parameter in preset.may_fill]
    yield "Source", preset.sources
    yield "Not covered", preset.not_covered


def _table(presets: Sequence[Preset]) -> Iterator[str]:
    width = max(len(preset.id) for preset in presets)
    method_width = max(len(preset.method) for preset in presets)
    for preset in presets:
        yield f"{preset.id:{width}}  {preset.method:{method_width}}  {preset.step:12}  {preset.name}"


def _details(preset: Preset) -> Iterator[str]:
    yield f"{preset.id}: {preset.name}"
    netted = f", each member {preset.netted} first" if preset.netted else ""
    yield f"method {preset.method}, shared by the {preset.step}{netted}"
    for label, texts in _sections(preset):
        yield f"{label.lower()}:"
        yield from (f"  {text.replace('`', '')}" for text in texts)
