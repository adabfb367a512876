-- What statements are made of, a row for each member of a settled day: made from the books, and made again where it is lost.
-- `name` is the state of the books that the day was stated from, `part` a member, or what is the same for all of them.
CREATE TABLE kept_part (
    day TEXT NOT NULL,
    name TEXT NOT NULL,
    part TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (day, name, part)
) STRICT;
