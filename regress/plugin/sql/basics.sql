-- Inserts, updates, deletes; NULL against an empty string; names that need quotes.
CREATE TABLE simple (id int PRIMARY KEY, note text, "Mixed Case" bool DEFAULT true);
INSERT INTO simple VALUES (1, 'one', false), (2, '', NULL), (3, NULL, true);
UPDATE simple SET note = 'changed' WHERE id = 1;
UPDATE simple SET id = 30 WHERE id = 3;
DELETE FROM simple WHERE id = 2;
SELECT * FROM changes();

CREATE SCHEMA "odd ""schema""";
CREATE TABLE "odd ""schema"""."select" ("from" int PRIMARY KEY, "ä ö" text);
INSERT INTO "odd ""schema"""."select" VALUES (1, E'tab\there, new\nline, back\\slash, quote''s, äöü');
SELECT * FROM changes();

-- The startup message comes first and tells what is in effect.
INSERT INTO simple VALUES (4);
SELECT replace(mask(data), current_database(), 'DATABASE')
FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text',
	'tables', 'public.*, "odd ""schema""".*', 'exclude_tables', 'public.tmp_*', 'operations', 'insert,delete')
LIMIT 1;
SELECT * FROM rows();

-- Transactions without anything to send are left out as a whole.
BEGIN; CREATE TABLE later (id int); COMMIT;
BEGIN; INSERT INTO simple VALUES (5); ROLLBACK;
SELECT * FROM changes();

-- What subtransactions undid is not there.
BEGIN;
INSERT INTO simple VALUES (10);
SAVEPOINT a;
INSERT INTO simple VALUES (11);
SAVEPOINT b;
INSERT INTO simple VALUES (12);
ROLLBACK TO a;
INSERT INTO simple VALUES (13);
SAVEPOINT c;
INSERT INTO simple VALUES (14);
RELEASE c;
COMMIT;
SELECT * FROM rows();

-- ON CONFLICT: speculative insertions are rows only once they are confirmed.
INSERT INTO simple VALUES (10, 'conflict'), (20, 'none') ON CONFLICT (id) DO UPDATE SET note = 'updated';
INSERT INTO simple VALUES (10, 'again') ON CONFLICT DO NOTHING;
SELECT * FROM rows();

-- Two-phase commit: all of it comes at COMMIT PREPARED.
BEGIN;
INSERT INTO simple VALUES (40, 'prepared');
PREPARE TRANSACTION 'sluice one';
BEGIN;
INSERT INTO simple VALUES (41, 'taken back');
PREPARE TRANSACTION 'sluice two';
INSERT INTO simple VALUES (42, 'in between');
SELECT * FROM rows();
COMMIT PREPARED 'sluice one';
ROLLBACK PREPARED 'sluice two';
SELECT * FROM rows();

-- Logical messages, within a transaction and outside; the commit brings all of them to the disk.
BEGIN;
SELECT 1 FROM pg_logical_emit_message(true, 'undone', 'transactional');
SELECT 1 FROM pg_logical_emit_message(false, 'outside', '');
ROLLBACK;
BEGIN;
SELECT 1 FROM pg_logical_emit_message(true, 'within', 'transactional');
SELECT 1 FROM pg_logical_emit_message(false, 'outside', E'at once\\000\\377'::bytea);
INSERT INTO simple VALUES (50);
COMMIT;
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text')
	WHERE data NOT LIKE 'startup: %' AND data NOT LIKE 'relation %';
SELECT * FROM rows('messages', 'on');

-- What is no ordinary table, or not in the log.
CREATE TEMP TABLE temporary (id int PRIMARY KEY);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE MATERIALIZED VIEW materialized AS SELECT id FROM simple;
CREATE UNIQUE INDEX ON materialized (id);
CREATE SEQUENCE numbers;
INSERT INTO temporary VALUES (1);
INSERT INTO unlogged VALUES (1);
INSERT INTO simple VALUES (51);
SELECT nextval('numbers');
REFRESH MATERIALIZED VIEW materialized;
INSERT INTO simple VALUES (52);
REFRESH MATERIALIZED VIEW CONCURRENTLY materialized;
SELECT lo_create(4711);
UPDATE information_schema.sql_sizing SET comments = comments WHERE sizing_id = 34;
SELECT * FROM rows();

-- Rewriting a table is no change of its rows; a table made from a query is.
CREATE TABLE made AS SELECT 1 AS id, 'made'::text AS what;
VACUUM FULL simple;
CLUSTER simple USING simple_pkey;
ALTER TABLE simple ALTER note TYPE varchar(100);
SELECT * FROM changes();

-- Operations that are left out.
INSERT INTO simple VALUES (60), (61);
UPDATE simple SET note = 'x' WHERE id = 60;
DELETE FROM simple WHERE id = 61;
TRUNCATE made;
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'operations', 'update')
WHERE data LIKE 'table%';
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'operations', 'insert, Delete')
WHERE data LIKE 'table%';
SELECT * FROM rows('operations', 'truncate');

-- Selected tables.
CREATE SCHEMA sales;
CREATE TABLE sales.orders (id int PRIMARY KEY);
CREATE TABLE sales.order_2024 (id int PRIMARY KEY);
CREATE TABLE sales."Orders" (id int PRIMARY KEY);
CREATE FUNCTION fill() RETURNS void LANGUAGE sql AS $$
	INSERT INTO simple SELECT coalesce(max(id), 0) + 1 FROM simple;
	INSERT INTO sales.orders SELECT coalesce(max(id), 0) + 1 FROM sales.orders;
	INSERT INTO sales.order_2024 SELECT coalesce(max(id), 0) + 1 FROM sales.order_2024;
	INSERT INTO sales."Orders" SELECT coalesce(max(id), 0) + 1 FROM sales."Orders";
$$;
SELECT FROM fill();
SELECT * FROM rows('tables', 'sales.*');
SELECT FROM fill();
SELECT * FROM rows('tables', 'sales.order_20??, Public.Simple');
SELECT FROM fill();
SELECT * FROM rows('tables', 'sales."Orders"');
SELECT FROM fill();
SELECT * FROM rows('exclude_tables', 'sales.order*');
SELECT FROM fill();
SELECT * FROM rows('tables', 'sales.*', 'exclude_tables', '*.*');
