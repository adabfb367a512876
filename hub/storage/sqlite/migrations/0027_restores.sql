-- When this hub was restored from a backup, and which board member has since looked at what may be missing.

CREATE TABLE restore (
    id INTEGER PRIMARY KEY,
    backup_made_at INTEGER NOT NULL,
    restored_at INTEGER NOT NULL,
    checked_by TEXT NOT NULL DEFAULT '',
    checked_at INTEGER
) STRICT;
