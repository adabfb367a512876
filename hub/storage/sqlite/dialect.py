"""The statements that SQLite spells in its own way."""

from typing import Final

from hub.storage.sql.connection import Dialect

# Two strings of numbers for the whole neighbourhood: fetching each value as a row would take twice as long.
_METERED_SQL: Final = """SELECT group_concat(cell), group_concat(energy_wh) FROM (
    SELECT (slot - ?2) * ?4 + home_list.key AS cell, energy_wh
    FROM json_each(?5) AS home_list CROSS JOIN reading ON home = home_list.value
    WHERE measure = ?1 AND slot >= ?2 AND slot < ?3 AND span = 1 AND mark = ?6)"""

# The same of a home after the other, with how each value came about: see hub.storage.series.
_SERIES_SQL: Final = """SELECT group_concat(cell) FILTER (WHERE is_one), group_concat(packed) FILTER (WHERE is_one),
    count(*) FILTER (WHERE span > 1)
FROM (SELECT home_list.key * (?3 - ?2) + slot - ?2 AS cell, span = 1 AND slot < ?3 AS is_one, span,
        ((coalesce(energy_wh, -1) + 1) * 4 + mark) * 16 + gap AS packed
    FROM json_each(?4) AS home_list CROSS JOIN reading ON home = home_list.value
    WHERE measure = ?1 AND slot >= ?2 AND slot < ?3 + ?5)"""

# In the order of the table's key, so that nothing is sorted. The table's columns are whole numbers or empty, which
# printf puts into a line in little more than half the time that it takes to join them one by one.
_READING_LINES_SQL: Final = """SELECT measure, group_concat(line, '') FROM (
    SELECT measure, printf('%s,%s,%s,%s,%s;', slot, span, energy_wh, mark, gap) AS line
    FROM reading WHERE home = ?1 AND slot < ?2 ORDER BY measure, slot, span)
GROUP BY measure ORDER BY measure"""

SQLITE: Final = Dialect(
    metered_sql=_METERED_SQL,
    series_sql=_SERIES_SQL,
    most_sorted=500_000,  # 40 bytes each
    reading_lines_sql=_READING_LINES_SQL,
    overwrite_sql={True: "PRAGMA secure_delete = ON", False: "PRAGMA secure_delete = OFF"},
    empty_months_sql="",
    now_ms_sql="SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
)
