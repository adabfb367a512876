-- How the log of rows spells a row: the same text that SQLite gives for it (hub/storage/sql/row_log/forms.py).

CREATE FUNCTION key_part(held text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT to_json(held)::text $$;
CREATE FUNCTION key_part(held bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT held::text $$;
CREATE FUNCTION key_part(held bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '"' || upper(encode(held, 'hex')) || '"' $$;

CREATE FUNCTION row_key(held text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '[' || to_json(held)::text || ']' $$;
CREATE FUNCTION row_key(held bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT '[' || held::text || ']' $$;

CREATE FUNCTION cell(held text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce('t' || upper(encode(convert_to(held, 'UTF8'), 'hex')), 'n') $$;
CREATE FUNCTION cell(held bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce('i' || upper(encode(convert_to(held::text, 'UTF8'), 'hex')), 'n') $$;
CREATE FUNCTION cell(held bytea) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce('b' || upper(encode(held, 'hex')), 'n') $$;
