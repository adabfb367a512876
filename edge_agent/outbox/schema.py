"""The outbox's tables. `sealed` holds exactly the bytes that go out; and sent_reading the home's grid
readings of the last 400 days, which outlive it.
"""

VERSION = 2
PAGE_BYTES = 512
"""The smallest there is: a message and its row fill little more than one, and each page written wears the SD card."""
APPLICATION_ID = 0x63773162  # "cw1b"

MESSAGE = """CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    epoch INTEGER AS ((id >> 32) + 2147483648),
    seq INTEGER AS (id & 4294967295),
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    sealed BLOB NOT NULL,
    hash BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    published_at INTEGER,
    receipted_at INTEGER,
    refused TEXT
);
"""

# A message's id is its place in the chain, so that the table alone is its only index and grows at its end.
# The end of the chain is stored apart from the messages, because receipted messages are eventually deleted.
SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
{MESSAGE.replace("TABLE", "TABLE IF NOT EXISTS")}CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    boot INTEGER NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,
    last_hash BLOB,
    checkpoint BLOB,
    consent_version INTEGER,
    consent BLOB,
    dropped INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS newest_receipt (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    signed_at INTEGER NOT NULL DEFAULT 0,
    taken_back_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS prompt (
    id TEXT PRIMARY KEY,
    payload BLOB NOT NULL,
    received_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given_answer (
    prompt_id TEXT PRIMARY KEY,
    choice TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answered (
    prompt_id TEXT PRIMARY KEY,
    choice TEXT NOT NULL,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revocation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    payload BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS sent_reading (
    slot INTEGER PRIMARY KEY,
    export_wh INTEGER NOT NULL,
    import_wh INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS prompt_gone AFTER DELETE ON prompt BEGIN
    DELETE FROM answered WHERE prompt_id = old.id;
END;
"""  # noqa: S608 - two constants

# Version 1 kept messages under a key of two columns, with an index of those that wait.
FROM_VERSION_1 = f"""
ALTER TABLE message RENAME TO message_of_version_1;
{MESSAGE}INSERT INTO message (id, kind, topic, sealed, hash, made_at, published_at, receipted_at, refused)
SELECT (epoch - 2147483648) << 32 | seq, kind, topic, sealed, hash, made_at, published_at, receipted_at, refused
FROM message_of_version_1 ORDER BY epoch, seq;
DROP TABLE message_of_version_1;
UPDATE state SET version = {VERSION};
"""  # noqa: S608 - two constants


def place_id(epoch: int, seq: int) -> int:
    """The id of the message at this place in the chain; SQLite's numbers begin below 0, so all epochs have room."""
    return (epoch - 2**31) << 32 | seq
