-- What every test in sql/ finds: a slot named "plugin" of this database, and
-- changes(), which prints what the slot holds without what differs from run to run.
SELECT FROM pg_create_logical_replication_slot(current_database(), 'sluice');

CREATE FUNCTION mask(line text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF line LIKE 'relation %' OR line LIKE 'definitions: %' THEN
		-- OIDs of what this database has made, and every array's
		line := regexp_replace(line, '\m[1-9][0-9]{4,}\M', 'N', 'g');
	END IF;
	line := regexp_replace(line, '^BEGIN .*', 'BEGIN');
	line := regexp_replace(line, '^COMMIT .*', 'COMMIT');
	line := regexp_replace(line, '^(startup: version: \d+ server: )\d+', '\1N');
	RETURN regexp_replace(line, '^(message: .* lsn: )[0-9A-F]+/[0-9A-F]+', '\1N');
END
$$;

CREATE FUNCTION changes(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT mask(data) FROM pg_logical_slot_get_changes(current_database(), NULL, NULL,
		VARIADIC ARRAY['format', 'text'] || options)
	WHERE data NOT LIKE 'startup: %'
$$;

-- The same without the descriptions of relations.
CREATE FUNCTION rows(VARIADIC options text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT line FROM changes(VARIADIC options) line WHERE line NOT LIKE 'relation %'
$$;
