-- TOASTed values that a change leaves alone are not in the log.
CREATE FUNCTION long_text(seed text) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(md5(seed || i), '') FROM generate_series(1, 200) i $$;
-- Values cut short, so that the lines can be read.
CREATE FUNCTION short_rows() RETURNS SETOF text LANGUAGE sql AS
	$$ SELECT regexp_replace(line, '''([0-9a-f]{6})[0-9a-f]{240}[0-9a-f]*([0-9a-f]{6})''', '''\1...\2''', 'g')
	FROM rows() line $$;

CREATE TABLE by_default (id int PRIMARY KEY, big text, small text);
ALTER TABLE by_default ALTER big SET STORAGE EXTERNAL;
INSERT INTO by_default VALUES (1, long_text('a'), 'x'), (2, NULL, 'y');
SELECT * FROM short_rows();
UPDATE by_default SET small = 'z';
UPDATE by_default SET id = id + 10;
UPDATE by_default SET big = long_text('b');
UPDATE by_default SET big = NULL;
DELETE FROM by_default;
SELECT * FROM short_rows();

-- REPLICA IDENTITY FULL: filled from the old row.
CREATE TABLE in_full (id int, big text, small text);
ALTER TABLE in_full REPLICA IDENTITY FULL;
INSERT INTO in_full VALUES (1, long_text('a'), 'x');
UPDATE in_full SET small = 'z';
DELETE FROM in_full;
SELECT * FROM short_rows();

-- A key that is TOASTed: the server sends the old key, which fills the new row.
CREATE TABLE big_key (big text, id int NOT NULL, other text);
ALTER TABLE big_key ALTER big SET STORAGE EXTERNAL, ALTER big SET NOT NULL;
ALTER TABLE big_key ALTER other SET STORAGE EXTERNAL;
INSERT INTO big_key VALUES (left(long_text('k'), 2500), 1, long_text('o'));
CREATE UNIQUE INDEX big_key_key ON big_key (big);
ALTER TABLE big_key REPLICA IDENTITY USING INDEX big_key_key;
SELECT count(*) FROM changes();
UPDATE big_key SET id = 2;
SELECT * FROM short_rows();

-- Compressed in line, compressed and out of line, out of line in arrays and numbers.
CREATE TABLE kinds (id int PRIMARY KEY, t text, b bytea, n numeric, a text[], j jsonb);
INSERT INTO kinds VALUES (1, repeat('compress ', 1000), repeat('b', 5000)::bytea,
	repeat('7', 5000)::numeric, array_fill('element'::text, ARRAY[2000]), jsonb_build_object('k', repeat('v', 4000)));
INSERT INTO kinds SELECT 2, long_text('a'), long_text('a')::bytea, translate(left(long_text('n'), 6000), 'abcdef', '123456')::numeric,
	ARRAY[long_text('1'), NULL], jsonb_build_object('k', long_text('j'));
SELECT left(line, 40), left(wanted, 40) FROM (SELECT line FROM rows() line WHERE line LIKE 'table%') a
FULL JOIN (
	SELECT format('table public.kinds: INSERT: id[integer]:%s t[text]:%L b[bytea]:''%s'' n[numeric]:%s a[text[]]:%L j[jsonb]:%L',
		id, t, b, n, a, j) AS wanted FROM kinds) b ON line = wanted;
UPDATE kinds SET id = id + 1 WHERE id = 2;
SELECT regexp_replace(line, '\d{250}\d+', 'digits') FROM rows() line;
