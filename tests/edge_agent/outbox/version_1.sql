-- An outbox as version 1 wrote it (0.2.0): four messages of two epochs, one waiting, one refused, large pages.
PRAGMA page_size = 4096;
PRAGMA application_id = 1668755810;
CREATE TABLE message (
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT NOT NULL,
    sealed BLOB NOT NULL,
    hash BLOB NOT NULL,
    made_at INTEGER NOT NULL,
    published_at INTEGER,
    receipted_at INTEGER,
    refused TEXT,
    PRIMARY KEY (epoch, seq)
);
CREATE INDEX message_waiting ON message (epoch, seq) WHERE receipted_at IS NULL;
CREATE TABLE state (
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
CREATE TABLE newest_receipt (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    signed_at INTEGER NOT NULL DEFAULT 0,
    taken_back_at INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE prompt (id TEXT PRIMARY KEY, payload BLOB NOT NULL, received_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE given_answer (prompt_id TEXT PRIMARY KEY, choice TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answered (
    prompt_id TEXT PRIMARY KEY, choice TEXT NOT NULL, at INTEGER NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE revocation (one INTEGER PRIMARY KEY CHECK (one = 1), payload BLOB NOT NULL);
CREATE TABLE sent_reading (
    slot INTEGER PRIMARY KEY, export_wh INTEGER NOT NULL, import_wh INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER prompt_gone AFTER DELETE ON prompt BEGIN
    DELETE FROM answered WHERE prompt_id = old.id;
END;
INSERT INTO message VALUES
    (1789000000, 1, 'consent', 't', x'01', x'a1', 1789000001, 1789000002, 1789000003, NULL),
    (1790000000, 1, 'batch', 't', x'02', x'a2', 1790000001, 1790000002, 1790000003, NULL),
    (1790000000, 2, 'batch', 't', x'03', x'a3', 1790000901, 1790000902, 1790000903, 'CLOCK_WINDOW'),
    (1790000000, 3, 'batch', 't', x'04', x'a4', 1790001801, NULL, NULL, NULL);
INSERT INTO state VALUES (1, 1, 1790000000, 7, 3, x'a4', CAST('{"next_slot":1988891,"bases":{}}' AS BLOB), 2, x'0c', 5);
INSERT INTO newest_receipt VALUES (1, 1790000903, 1789500000);
INSERT INTO sent_reading VALUES (1988800, 10, 20);
PRAGMA journal_mode = WAL;
