-- The months of the readings that ended before this slot and hold nothing any more are dropped, so that the disk has its
-- room back. Whoever runs the hub may not drop tables; this function is its owner's, and drops nothing but empty months.
-- It waits a moment for those who read just then, and else leaves it to the next night.
CREATE FUNCTION drop_empty_months(before_slot bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT SET lock_timeout = 1000 AS $$
DECLARE
    part text;
    is_held boolean;
BEGIN
    FOR part IN
        SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
        WHERE inhparent = 'reading'::regclass
            AND extract(epoch FROM to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') / 900 <= before_slot
        ORDER BY c.relname
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', part) INTO is_held;
        IF NOT is_held THEN
            EXECUTE format('DROP TABLE %I', part);
        END IF;
    END LOOP;
EXCEPTION WHEN lock_not_available THEN
    NULL;
END $$;
