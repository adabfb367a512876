-- The tables that these functions name are the co-op's own. Without this, tables that a session makes for itself
-- (pg_temp) are looked at first, and whoever runs the hub could have a trigger ask one of those.

DO $$
DECLARE held oid;
BEGIN
    FOR held IN
        SELECT p.oid FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
        WHERE p.pronamespace = current_schema()::regnamespace AND l.lanname = 'plpgsql'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', held::regprocedure, current_schema());
    END LOOP;
END $$;
