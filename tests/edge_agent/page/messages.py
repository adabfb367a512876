"""Collects the sentences of the agent's page for translators: `make messages` writes locale/messages.pot there.

The file depends only on the sentences, as the hub's does.
"""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from tests.hub.web.messages import HEADER

PAGE = Path(__file__).parents[3] / "edge_agent" / "page"
MESSAGES = PAGE / "locale" / "messages.pot"
KEYWORDS = {"text": None, "plural": (1, 2), "translatable": None}


def messages() -> str:
    """The whole file as it should be."""
    catalog = Catalog(charset="utf-8")
    for name, line, sentence, _, context in extract_from_dir(PAGE, [("**.py", "python")], keywords=KEYWORDS):
        catalog.add(sentence, locations=[(f"edge_agent/page/{Path(name).as_posix()}", line)], context=context)
    text = io.BytesIO()
    write_po(text, catalog, width=0, omit_header=True, sort_output=True, include_lineno=False)
    return HEADER.replace("the hub's pages", "the agent's page") + text.getvalue().decode().strip() + "\n"


def main() -> None:
    MESSAGES.write_text(messages(), encoding="utf-8")


if __name__ == "__main__":
    main()
