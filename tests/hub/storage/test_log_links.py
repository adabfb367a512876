"""The link of a line of the log is the hash over its JSON in ASCII, whatever characters stand in the line."""

import hashlib
import json

from hypothesis import example, given
from hypothesis import strategies as st

from hub.storage.audit_records import LogLine, next_link

TEXT = st.text(max_size=12)


@given(st.integers(-(2**63), 2**63 - 1), TEXT, TEXT, TEXT, TEXT)
@example(1, "member", '["m\x7f"]', "added", '\x00\x1f\t\b\f\r\n"\\/')
@example(1, "member", '["Zoë"]', "changed", "</script>\ud800")
def test_a_link_is_the_hash_of_the_lines_json(position: int, source: str, key: str, change: str, says: str) -> None:
    line = LogLine(position, 7, source, key, change, b"\x01" * 32, says)
    text = json.dumps([position, 7, source, key, change, "01" * 32, says], separators=(",", ":"))
    assert next_link(b"p", line) == hashlib.sha256(b"p" + text.encode()).digest()
