-- What statements are made of, a row for each member of a settled day: made from the books, and made again where it is lost.
-- `name` is the state of the books that the day was stated from, `part` a member, or what is the same for all of them.
CREATE TABLE kept_part (
    day text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    part text COLLATE "C" NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (day, name, part)
);
