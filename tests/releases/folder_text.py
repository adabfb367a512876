"""Writes a data folder as text and rebuilds it: SQLite files as SQL, keys in hexadecimal, other files unchanged."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

SQLITE = ".sqlite"
KEY = ".key"
HEX = ".hex"
LEFT_OUT = (".lock", "-wal", "-shm", "running.json")
PART_CHARS = 180_000
ROWS_AT_ONCE = 50
HEX_DIGITS_IN_A_LINE = 96
ZEROS = re.compile(rb"\0{24,}")
QUOTABLE = re.compile(rb"[\x20-\x7e]+")


def write_folder(source: Path, target: Path) -> None:
    """Write every file of a data folder as text. A SQLite file becomes one SQL script in numbered parts."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        if path.name.endswith(LEFT_OUT):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == SQLITE:
            for number, part in enumerate(_parts(sql_statements(path)), start=1):
                place.with_name(f"{path.stem}-{number:02d}.sql").write_text(part, encoding="utf-8")
        elif path.suffix == KEY:
            place.with_name(path.name + HEX).write_text(_hex_lines(path.read_bytes()), encoding="ascii")
        else:
            place.write_bytes(path.read_bytes())


def rebuild_folder(source: Path, target: Path) -> Path:
    """Rebuild the data folder, readable only by its owner, and return it."""
    scripts: dict[Path, list[str]] = {}
    target.mkdir(mode=0o700, parents=True)
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.suffix == ".sql":
            stem = path.stem.rpartition("-")[0]
            scripts.setdefault(place.with_name(stem + SQLITE), []).append(path.read_text(encoding="utf-8"))
        elif path.suffix == HEX:
            _write_private(place.with_name(path.stem), bytes.fromhex(path.read_text(encoding="ascii")))
        else:
            _write_private(place, path.read_bytes())
    for place, parts in scripts.items():
        _write_private(place, b"")
        with closing(sqlite3.connect(place)) as db:
            db.executescript("".join(parts))
    return target


def sql_statements(path: Path) -> Iterator[str]:
    """The statements that rebuild this SQLite file, always in the same order."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        for pragma in ("application_id", "user_version"):
            ((number,),) = db.execute(f"PRAGMA {pragma}").fetchall()
            yield f"PRAGMA {pragma} = {number};\n"
        yield "BEGIN;\n"
        made = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        tables = db.execute(f"{made} AND type = 'table' ORDER BY name").fetchall()
        for name, sql in tables:
            yield f"{sql};\n"
            yield from _inserts(db, name)
        for _, sql in db.execute(f"{made} AND type <> 'table' ORDER BY type, name").fetchall():
            yield f"{sql};\n"
        yield "COMMIT;\n"


def _inserts(db: sqlite3.Connection, table: str) -> Iterator[str]:
    """The table's rows in the order of its primary key, one on a line."""
    # Generated columns are not among them: their values follow from the others.
    columns = [(key, column) for _, column, _, _, _, key in db.execute(f'PRAGMA table_info("{table}")')]
    order = ", ".join(f'"{column}"' for key, column in sorted(columns) if key) or "rowid"
    every = ", ".join(f'"{column}"' for _, column in columns)
    rows = db.execute(f'SELECT {every} FROM "{table}" ORDER BY {order}')
    while some := rows.fetchmany(ROWS_AT_ONCE):
        lines = ",\n".join(f"({', '.join(map(_literal, row))})" for row in some)
        yield f'INSERT INTO "{table}" VALUES\n{lines};\n'


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        if not value.isprintable():
            raise ValueError(f"{value[:40]!r} is not printable and cannot be written on one line")
        return _quoted(value)
    assert isinstance(value, bytes)
    return _blob(value)


def _blob(value: bytes) -> str:
    """ASCII text stays readable, and long runs of zeros, such as padding, become short."""
    if QUOTABLE.fullmatch(value):
        return f"CAST({_quoted(value.decode('ascii'))} AS BLOB)"
    pieces, at = [], 0
    for zeros in ZEROS.finditer(value):
        pieces += [f"X'{value[at : zeros.start()].hex()}'", f"zeroblob({len(zeros[0])})"]
        at = zeros.end()
    pieces.append(f"X'{value[at:].hex()}'")
    return pieces[0] if len(pieces) == 1 else f"CAST({' || '.join(pieces)} AS BLOB)"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _parts(statements: Iterable[str]) -> Iterator[str]:
    """Join statements into parts of about PART_CHARS."""
    part = ""
    for statement in statements:
        if part and len(part) + len(statement) > PART_CHARS:
            yield part
            part = ""
        part += statement
    yield part


def _hex_lines(content: bytes) -> str:
    digits = content.hex()
    starts = range(0, len(digits), HEX_DIGITS_IN_A_LINE)
    return "".join(f"{digits[at : at + HEX_DIGITS_IN_A_LINE]}\n" for at in starts)


def _write_private(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
