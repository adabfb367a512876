-- Rows are numbered without gaps, as they are in SQLite: a number that is missing means a row that is missing. A
-- sequence would leave a gap wherever a transaction is undone. Writers take turns, so the next number is the newest and one.

DO $$
DECLARE numbered record;
BEGIN
    FOR numbered IN SELECT * FROM (VALUES
        ('access_log', 'position'),
        ('message', 'position'),
        ('run', 'position'),
        ('rule', 'position'),
        ('rule_proposal', 'id'),
        ('objection', 'id'),
        ('account', 'id'),
        ('finding', 'id'),
        ('finding_decision', 'id'),
        ('connection_agreement', 'id'),
        ('member_change', 'id'),
        ('notice', 'id'),
        ('restore', 'id'),
        ('measure_source', 'id'),
        ('meter_notice', 'id'),
        ('map_proposal', 'id')
    ) AS known (held, number)
    LOOP
        EXECUTE format(
            'CREATE FUNCTION next_%1$s() RETURNS bigint LANGUAGE plpgsql VOLATILE AS '
            '''BEGIN RETURN (SELECT coalesce(max(%2$I), 0) + 1 FROM %1$I); END''', numbered.held, numbered.number);
        EXECUTE format('ALTER TABLE %1$I ALTER COLUMN %2$I SET DEFAULT next_%1$s()', numbered.held, numbered.number);
    END LOOP;
END $$;

-- The part of the readings for the month of this slot, made if it is not there. Whoever runs the hub may not make
-- tables; this function is its owner's, and makes nothing but months. It waits for no reader, and no reader waits for it.
CREATE FUNCTION make_month(any_slot bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    begins timestamp := date_trunc('month', to_timestamp(any_slot * 900) AT TIME ZONE 'UTC');
    part text := 'reading_' || to_char(begins, 'YYYY_MM');
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
    EXECUTE format(
        'ALTER TABLE reading ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part,
        (extract(epoch FROM begins) / 900)::bigint,
        (extract(epoch FROM begins + interval '1 month') / 900)::bigint
    );
END $$;
