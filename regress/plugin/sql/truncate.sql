CREATE TABLE a (id serial PRIMARY KEY);
CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
CREATE TABLE c (id int PRIMARY KEY);
TRUNCATE c;
TRUNCATE a, c RESTART IDENTITY CASCADE;
BEGIN;
INSERT INTO c VALUES (1);
TRUNCATE c;
INSERT INTO c VALUES (2);
SAVEPOINT s;
TRUNCATE c;
ROLLBACK TO s;
COMMIT;
SELECT * FROM rows();
TRUNCATE a, b, c;
SELECT * FROM rows('exclude_tables', 'public.b');
TRUNCATE a, b;
SELECT * FROM rows('tables', 'public.c');

-- Partitions: the root with all its leaves, a leaf alone, a table in between.
CREATE TABLE p (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE p2_low PARTITION OF p2 FOR VALUES FROM (0) TO (100);
CREATE TABLE p2_high PARTITION OF p2 FOR VALUES FROM (100) TO (200);
CREATE SCHEMA "Odd";
ALTER TABLE p2_high SET SCHEMA "Odd";
TRUNCATE p;
SELECT * FROM changes();
TRUNCATE p1;
TRUNCATE p2;
TRUNCATE c, p1, "Odd".p2_high;
TRUNCATE p, p1, c;
SELECT * FROM rows();
TRUNCATE p;
SELECT * FROM rows('tables', 'public.p1, public.p2');
TRUNCATE p1;
SELECT * FROM rows('tables', 'public.p1');
TRUNCATE p2_low;
SELECT * FROM rows('tables', 'public.p1');

-- The root speaks with its leaves' description as long as that holds.
BEGIN;
INSERT INTO p VALUES (1, 1);
TRUNCATE p;
INSERT INTO p VALUES (1, 2);
COMMIT;
SELECT regexp_replace(line, ' columns: .*', '') FROM changes() line;

-- Inheritance
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
TRUNCATE parent;
TRUNCATE ONLY parent;
SELECT * FROM rows();
