-- What the server logs of old rows, and what it cannot.
CREATE TABLE by_default (id int PRIMARY KEY, a int NOT NULL, b text);
CREATE TABLE without_key (id int, b text);
CREATE TABLE by_index (id int PRIMARY KEY, a int NOT NULL, b text NOT NULL, c int);
CREATE UNIQUE INDEX by_index_b_a ON by_index (b, a) INCLUDE (c);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_a;
CREATE TABLE in_full (id int PRIMARY KEY, a int, b text);
ALTER TABLE in_full REPLICA IDENTITY FULL;
CREATE TABLE by_nothing (id int PRIMARY KEY, b text);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;

INSERT INTO by_default VALUES (1, 1, 'a');
UPDATE by_default SET b = 'same key';
UPDATE by_default SET id = 2;
DELETE FROM by_default;
SELECT * FROM changes();

INSERT INTO without_key VALUES (1, 'a');
UPDATE without_key SET b = 'lost';
DELETE FROM without_key;
SELECT * FROM changes();

INSERT INTO by_index VALUES (1, 1, 'a', NULL);
UPDATE by_index SET id = 2;
UPDATE by_index SET c = 3;
UPDATE by_index SET a = 2;
DELETE FROM by_index;
SELECT * FROM changes();

INSERT INTO in_full VALUES (1, NULL, 'a');
UPDATE in_full SET b = 'b';
DELETE FROM in_full;
SELECT * FROM changes();

INSERT INTO by_nothing VALUES (1, 'a');
UPDATE by_nothing SET id = 2;
DELETE FROM by_nothing;
SELECT * FROM changes();

-- The identity changes between two changes of one transaction, and back.
BEGIN;
INSERT INTO by_default VALUES (1, 1, 'a');
UPDATE by_default SET b = 'b';
ALTER TABLE by_default REPLICA IDENTITY FULL;
UPDATE by_default SET b = 'c';
ALTER TABLE by_default REPLICA IDENTITY NOTHING;
UPDATE by_default SET b = 'd';
ALTER TABLE by_default REPLICA IDENTITY DEFAULT;
UPDATE by_default SET id = 3;
ALTER TABLE by_default DROP CONSTRAINT by_default_pkey;
UPDATE by_default SET id = 4;
ALTER TABLE by_default ADD PRIMARY KEY (a);
UPDATE by_default SET a = 2;
COMMIT;
SELECT * FROM changes();

-- The identity's index is dropped.
DROP INDEX by_index_b_a;
INSERT INTO by_index VALUES (1, 1, 'a', NULL);
UPDATE by_index SET a = 3;
DELETE FROM by_index;
SELECT * FROM changes();

-- A table without columns.
CREATE TABLE empty ();
ALTER TABLE empty REPLICA IDENTITY FULL;
INSERT INTO empty DEFAULT VALUES;
DELETE FROM empty;
SELECT * FROM changes();
