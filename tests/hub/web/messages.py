"""Collects the sentences of the pages for translators: `make messages` writes hub/web/locale/messages.pot.

The file depends only on the sentences: no date, no line number, no name of a person or a computer.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import write_po

ROOT = Path(__file__).parents[3]
SETTINGS = ROOT / "babel.cfg"
MESSAGES = ROOT / "hub" / "web" / "locale" / "messages.pot"
ROOMS = ("hub/web", "hub/health")
KEYWORDS = {
    "said": None,
    "counted": (1, 2),
    "text": None,
    "plural": (1, 2),
    "translatable": None,
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
}
COMMENT = "Translators:"

HEADER = """\
# The sentences of the hub's pages, for translation. Made by `make messages`; do not edit.
msgid ""
msgstr ""
"Project-Id-Version: Commonwatt\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def messages() -> str:
    """The whole file as it should be."""
    with SETTINGS.open(encoding="utf-8") as settings:
        methods, options = parse_mapping_cfg(settings)
    catalog = Catalog(charset="utf-8")
    for room in ROOMS:
        found = extract_from_dir(
            ROOT / room,
            [(pattern.removeprefix(f"{room}/"), method) for pattern, method in methods if pattern.startswith(room)],
            {pattern.removeprefix(f"{room}/"): value for pattern, value in options.items()},
            keywords=KEYWORDS,
            comment_tags=(COMMENT,),
            strip_comment_tags=True,
        )
        for name, line, sentence, comments, context in found:
            place = f"{room}/{Path(name).as_posix()}"
            catalog.add(sentence, locations=[(place, line)], auto_comments=comments, context=context)
    text = io.BytesIO()
    write_po(text, catalog, width=0, omit_header=True, sort_output=True, include_lineno=False)
    return HEADER + text.getvalue().decode().strip() + "\n"


def main() -> None:
    MESSAGES.parent.mkdir(exist_ok=True)
    MESSAGES.write_text(messages(), encoding="utf-8")


if __name__ == "__main__":
    main()
