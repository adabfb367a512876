"""A second version of the rulebook straight in the store, also for days that the hub itself would refuse as settled."""

from hub.storage.sqlite.store import SqliteStore

PROPOSED = "INSERT INTO rule_proposal VALUES (?, ?, ?, ?, ?, 'a file', ?, ?)"


async def put_rule(
    store: SqliteStore,
    rule_hash: str,
    *,
    canonical: bytes,
    first_day: str,
    at: int = 1_700_000_000,
    people: tuple[str, str] = ("m02", "m01"),
) -> None:
    """As the hub writes it: proposed by one, adopted by the other."""
    ((last,),) = await store.write(lambda db: db.execute_fetchall("SELECT coalesce(max(position), 0) FROM rule"))
    number = int(last) + 1
    for sql, values in (
        (PROPOSED, (number, rule_hash, canonical, first_day, last, people[0], at)),
        ("INSERT INTO rule VALUES (?, ?, ?, ?)", (number, rule_hash, canonical, first_day)),
        ("INSERT INTO rule_adoption VALUES (?, ?, ?, ?, ?)", (number, rule_hash, first_day, people[1], at)),
    ):
        await store.write(lambda db, sql=sql, values=values: db.execute(sql, values))
