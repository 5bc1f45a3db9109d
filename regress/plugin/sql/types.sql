-- A table with a column whose binary form means nothing elsewhere travels as text.
CREATE TYPE mood AS ENUM ('sad', 'happy', 'in "between", or so');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN happy AS mood CHECK (VALUE <> 'sad');
CREATE DOMAIN numbers AS int[];
CREATE DOMAIN pairs AS pair[];
CREATE TYPE floats AS RANGE (subtype = float8);
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE EXTENSION citext;
CREATE TABLE e (id int PRIMARY KEY, v mood);
CREATE TABLE ea (id int PRIMARY KEY, v mood[]);
CREATE TABLE c (id int PRIMARY KEY, v pair);
CREATE TABLE ca (id int PRIMARY KEY, v pair[]);
CREATE TABLE de (id int PRIMARY KEY, v happy);
CREATE TABLE da (id int PRIMARY KEY, v numbers);
CREATE TABLE dca (id int PRIMARY KEY, v pairs);
CREATE TABLE dea (id int PRIMARY KEY, v happy[]);
CREATE TABLE r (id int PRIMARY KEY, v floats, x floats[]);
CREATE TABLE rb (id int PRIMARY KEY, v int4range, x int4range[]);
CREATE TABLE rf (id int PRIMARY KEY, v floats);
CREATE TABLE rm (id int PRIMARY KEY, v moods);
CREATE TABLE rc (id int PRIMARY KEY, v regclass);
CREATE TABLE rca (id int PRIMARY KEY, v regtype[]);
CREATE TABLE ci (id int PRIMARY KEY, v citext);
CREATE TABLE ac (id int PRIMARY KEY, v aclitem);
CREATE TABLE row_type (id int PRIMARY KEY, v e);
CREATE TABLE catalog_row (id int PRIMARY KEY, v pg_am);
CREATE TABLE o (id int PRIMARY KEY, v oid, w oidvector, x int2vector, y name[], z "char");
CREATE TABLE chosen (id int PRIMARY KEY, v timestamptz, w numeric);
CREATE TABLE chosen_not (id int PRIMARY KEY, v timestamptz, w numeric);

INSERT INTO e VALUES (1, 'happy');
INSERT INTO ea VALUES (1, '{happy,NULL,"in \"between\", or so"}');
INSERT INTO c VALUES (1, (1, 'it''s "quoted"'));
INSERT INTO ca VALUES (1, ARRAY[(1, 'x')::pair, NULL]);
INSERT INTO de VALUES (1, 'happy');
INSERT INTO da VALUES (1, '[2:3]={1,NULL}');
INSERT INTO dca VALUES (1, ARRAY[(1, 'x')::pair]);
INSERT INTO dea VALUES (1, '{happy}');
INSERT INTO r VALUES (1, '[1.5,2)', '{empty,"(,)"}');
INSERT INTO rb VALUES (1, '[1,2)', '{empty,"(,)"}');
INSERT INTO rf VALUES (1, '[1.5,2)');
INSERT INTO rm VALUES (1, '[sad,happy]');
INSERT INTO rc VALUES (1, 'e'), (2, 'pg_class'), (3, 0);
INSERT INTO rca VALUES (1, '{mood,integer}');
INSERT INTO ci VALUES (1, 'MiXed');
INSERT INTO ac VALUES (1, makeaclitem(10, 10, 'SELECT', false));
INSERT INTO row_type VALUES (1, (2, 'sad'));
INSERT INTO catalog_row VALUES (1, NULL);
INSERT INTO o VALUES (1, 4294967295, '1 2 3', '-1 2', '{a,"b c"}', 'x');
INSERT INTO chosen VALUES (1, '2024-02-29 12:34:56.789+02', 'NaN');
INSERT INTO chosen_not VALUES (1, '2024-02-29 12:34:56.789+02', 'NaN');
SELECT regexp_replace(line, 'oid: .* values: (\w+) .*? (v\[[^(]*) .*', '\1 \2')
FROM changes('text_tables', 'public.chosen') line WHERE line NOT IN ('BEGIN', 'COMMIT');

-- Such values do not depend on the settings of whoever asks.
CREATE TABLE settings (id int PRIMARY KEY, t timestamptz, d date, i interval, f float8, r float4, b bytea,
	m money, c regclass, v mood[], a timestamptz[], range tstzrange);
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere."Table" (id int);
INSERT INTO settings VALUES (1, '2024-02-29 12:34:56.789+02', '2024-02-29', '1 year 2 months -3 days 04:05:06.7',
	0.1::float8 + 0.2, 1 / 3::float4, '\x00ff5c', 1234.5, 'elsewhere."Table"', '{happy}', '{2024-02-29 12:34:56+02}',
	'[2024-02-29 12:34:56+02,)');
SET DateStyle = 'German';
SET IntervalStyle = 'iso_8601';
SET TimeZone = 'Asia/Kolkata';
SET extra_float_digits = -3;
SET bytea_output = 'escape';
SET search_path = elsewhere, public;
SET quote_all_identifiers = on;
SELECT * FROM rows();
SELECT t, d, i, f, r, b, c FROM settings;

-- They are back after an error as well, and at its savepoint.
INSERT INTO settings SELECT 2, t FROM settings;
BEGIN;
SET LOCAL TimeZone = 'America/New_York';
SAVEPOINT a;
SELECT * FROM rows('protocol', '99');
ROLLBACK TO a;
SELECT t FROM settings WHERE id = 2;
SELECT * FROM rows();
SHOW TimeZone;
SHOW search_path;
SHOW client_encoding;
COMMIT;
SHOW TimeZone;

-- Strings are in the database's encoding; it is the server that converts its text.
RESET ALL;
CREATE TABLE strings (id int PRIMARY KEY, t text, a text[], x xml, v mood[]);
INSERT INTO strings VALUES (1, 'äöü', '{äöü}', '<ä>ö</ä>');
CREATE TABLE binary_strings (id int PRIMARY KEY, t text, a text[], x xml, j jsonb, s tsvector);
INSERT INTO binary_strings VALUES (1, 'äöü', '{äöü}', '<?xml version="1.0" encoding="UTF-8"?><ä>ö</ä>', '{"ä": "ö"}', 'ä');
SET client_encoding = 'latin1';
SELECT * INTO TEMP captured FROM rows();
SHOW client_encoding;
RESET client_encoding;
SELECT * FROM captured;
