"""Compiles the SunSpec definitions that pysunspec2 ships (Apache-2.0) to what an agent needs of them.

`python -m tests.conformance.sunspec_definitions` writes protocols/maps/official/definitions.py again.
"""

import json
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sunspec2

from protocols.maps.official.layout import type_words

MODELS = Path(sunspec2.__file__).parent / "models" / "json"
TARGET = Path(__file__).resolve().parents[2] / "protocols" / "maps" / "official" / "definitions.py"
COMPILED = (
    *(1, 101, 102, 103, 111, 112, 113, 120, 121, 124, 160, 201, 202, 203, 204, 211, 212, 213, 214),
    *(701, 702, 713, 714, 802),
)
"""What the maps read: nameplate and most power, inverters, storage, meters, and the 7xx models with measurements."""

HEAD = '''"""Official SunSpec model definitions, compiled from the JSON files of pysunspec2 (Apache-2.0). Do not edit.

`python -m tests.conformance.sunspec_definitions` writes it. NAME:TYPE or NAME:TYPE:SCALE_FACTOR for each point after
id and length, in order; after `|` those of a repeating group; `=N` is laid out like model N.
"""

from collections.abc import Mapping
from typing import Final

DEFINITIONS: Final[Mapping[int, str]] = {
'''


def compiled() -> str:
    """The text of definitions.py. Raises: ValueError for a definition that this form cannot hold."""
    texts: dict[int, str] = {}
    for model in COMPILED:
        text = _model_text(json.loads((MODELS / f"model_{model}.json").read_text(encoding="utf-8"))["group"])
        same = next((other for other, known in texts.items() if known == text), None)
        texts[model] = text if same is None else f"={same}"
    return HEAD + "".join(_entry(model, text) for model, text in texts.items()) + "}\n"


def _model_text(group: Mapping[str, Any]) -> str:
    head, points, groups = group["points"][:2], group["points"][2:], group.get("groups", [])
    if (
        [point["name"] for point in head] != ["ID", "L"]
        or len(groups) > 1
        or any(each.get("groups") for each in groups)
    ):
        raise ValueError(f"{group['name']}: not a model with a head and at most one repeating group")
    return "|".join(_points_text(each) for each in (points, *(each["points"] for each in groups)))


def _points_text(points: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(_point_text(point) for point in points)


def _point_text(point: Mapping[str, Any]) -> str:
    kind = f"string{point['size']}" if point["type"] == "string" else point["type"]
    if type_words(kind) != point["size"]:
        raise ValueError(f"{point['name']}: {kind} of {point['size']} registers")
    factor = point.get("sf")
    return f"{point['name']}:{kind}" + ("" if factor is None else f":{factor}")


def _entry(model: int, text: str) -> str:
    if len(text) < 90:
        return f'    {model}: "{text}",\n'
    lines = textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)
    body = "".join(f'        "{line} "\n' for line in lines[:-1]) + f'        "{lines[-1]}"\n'
    return f"    {model}: (\n{body}    ),\n"


if __name__ == "__main__":
    TARGET.write_text(compiled(), encoding="utf-8")
