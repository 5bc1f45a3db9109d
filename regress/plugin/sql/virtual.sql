-- from version 18
-- A generated column without a stored value is no part of the row.
CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL, z text);
INSERT INTO t VALUES (1, 5, DEFAULT, 'x');
UPDATE t SET a = 6;
ALTER TABLE t REPLICA IDENTITY FULL;
DELETE FROM t;
SELECT * FROM changes();
