"""docs/glossary.md says each word once: every class of protocols and the core is named in it, and nothing else is."""

import ast
import re
from collections import Counter

from tests.house.source_tree import ROOT, sources

GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
LISTED_ROOMS = ("protocols.", "hub.core.")
# The house's words that carry no class of their own must be defined all the same.
WORDS = (
    *("co-op", "hub", "peer", "member", "home", "agent", "device", "point", "reading", "slot", "batch", "receipt"),
    *("consent", "purpose", "prompt", "credit", "rule", "rulebook", "run", "posting", "entry", "ledger", "statement"),
    *("finding", "proposal", "ballot", "street"),
)


def class_rooms() -> dict[str, str]:
    """Every public class of the project and the module that defines it."""
    return {
        node.name: source.name
        for source in sources()
        for node in source.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }


def aliases() -> set[str]:
    """Names of types that are assigned at the top of a module."""
    found = set()
    for source in sources():
        for node in source.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            found |= {each.id for each in targets if isinstance(each, ast.Name)}
    return found


def named_classes() -> Counter[str]:
    return Counter(re.findall(r"`([A-Z]\w+)`", GLOSSARY))


def test_each_class_of_protocols_and_core_is_in_the_glossary() -> None:
    named = named_classes()
    domain = {name for name, room in class_rooms().items() if room.startswith(LISTED_ROOMS)}
    missing = sorted(name for name in domain if name not in named and not name.endswith("Error"))
    assert not missing, "say in docs/glossary.md what these are"


def test_the_glossary_names_each_class_once_and_only_classes_that_exist() -> None:
    named = named_classes()
    assert [name for name, count in named.items() if count > 1] == []
    known = set(class_rooms()) | aliases()
    assert sorted(name for name in named if name not in known) == []


def test_each_word_is_defined_once() -> None:
    defined = Counter(re.findall(r"^- \*\*([^*]+)\*\*", GLOSSARY, re.MULTILINE))
    assert [word for word, count in defined.items() if count > 1] == []
    assert [word for word in WORDS if word not in defined] == []
