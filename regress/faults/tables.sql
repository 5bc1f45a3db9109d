-- The source's tables of the campaign of faults, and what its traffic calls.
CREATE SCHEMA control;	-- not selected: helpers
CREATE SCHEMA leaves;	-- not selected: partitions, which belong to their root

CREATE FUNCTION control.dice(int) RETURNS int LANGUAGE sql AS 'SELECT floor(random() * $1)::int';

-- What a reader of the destination watches: their sums never change, and the count never goes back.
CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
CREATE TABLE vault (id int PRIMARY KEY, balance int NOT NULL);
CREATE TABLE journal (account int, amount int NOT NULL, note text);
ALTER TABLE journal REPLICA IDENTITY FULL;
CREATE TABLE tick (id int PRIMARY KEY, n bigint NOT NULL);
INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 100) i;
INSERT INTO vault SELECT i, 100 FROM generate_series(1, 100) i;
INSERT INTO tick VALUES (1, 0);

CREATE PROCEDURE control.transfers(times int) LANGUAGE plpgsql AS $$
DECLARE
	here int;
	there int;
	amount int;
BEGIN
	FOR i IN 1 .. times LOOP
		here := 1 + control.dice(100);
		there := 1 + control.dice(100);
		amount := control.dice(50);
		UPDATE accounts SET balance = balance - amount WHERE id = here;
		INSERT INTO journal VALUES (here, -amount, NULL), (there, amount, 'note ' || there);
		UPDATE vault SET balance = balance + amount WHERE id = there;
		UPDATE tick SET n = n + 1;
		IF control.dice(150) = 0 THEN
			DELETE FROM journal;
		END IF;
		IF control.dice(12) = 0 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
		PERFORM pg_sleep(control.dice(6) / 1000.0);
	END LOOP;
END $$;

CREATE TABLE keyed (id int PRIMARY KEY, v text, n int);
CREATE TABLE wide (id int PRIMARY KEY, n int, big text, note text);
ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
CREATE TABLE wide_full (id int PRIMARY KEY, n int, big text, note text);
ALTER TABLE wide_full ALTER big SET STORAGE EXTERNAL;
ALTER TABLE wide_full REPLICA IDENTITY FULL;
CREATE TABLE bag (a int, b text, c numeric, d jsonb, e float8);
ALTER TABLE bag REPLICA IDENTITY FULL;
CREATE TABLE swapped (id int PRIMARY KEY, place int NOT NULL UNIQUE, v text);
CREATE TABLE indexed (id int NOT NULL, v text, n int);
CREATE UNIQUE INDEX indexed_id ON indexed (id);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id;
CREATE TABLE pair (a int, b text, v int, PRIMARY KEY (b, a));
CREATE TABLE parts (id int, day int, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE leaves.parts_0 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE leaves.parts_1 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE TABLE leaves.parts_2 PARTITION OF parts FOR VALUES FROM (20) TO (100);
CREATE TABLE emptied (id serial PRIMARY KEY, v text);
CREATE TABLE bulk (id int PRIMARY KEY, v text, n int);
CREATE TABLE changed (id int PRIMARY KEY, v text, n int);
CREATE TABLE typed (id int PRIMARY KEY, a numeric, b timestamptz, c date[], d bytea, e jsonb, f interval, g uuid, h bool, i "char", j inet, k float4);
CREATE TABLE filtered (id int PRIMARY KEY, region text, n int, note text);
CREATE TABLE filtered_full (id int PRIMARY KEY, region text, n int, big text);
ALTER TABLE filtered_full REPLICA IDENTITY FULL;
ALTER TABLE filtered_full ALTER big SET STORAGE EXTERNAL;
CREATE TABLE archive (id int PRIMARY KEY, v text);	-- without truncate
CREATE TABLE shared_a (id int PRIMARY KEY, v text, n int);
CREATE TABLE shared_b (id int PRIMARY KEY, v text, n int);

INSERT INTO keyed SELECT i, 'v' || i, 0 FROM generate_series(1, 2000) i;
INSERT INTO wide SELECT i, 0, repeat('w' || i, 800), 'note' FROM generate_series(1, 150) i;
INSERT INTO wide_full SELECT i, 0, repeat('w' || i, 800), 'note' FROM generate_series(1, 100) i;
INSERT INTO bag SELECT i % 20, CASE WHEN i % 3 > 0 THEN 'b' || i % 5 END, NULLIF(i % 4, 0), '{"a": 1}', i % 2 FROM generate_series(1, 1000) i;
INSERT INTO swapped SELECT i, 1000 - i, 'v' FROM generate_series(1, 200) i;
INSERT INTO indexed SELECT i, 'v' || i, 0 FROM generate_series(1, 500) i;
INSERT INTO pair SELECT i, 'p' || i % 9, 0 FROM generate_series(1, 500) i;
INSERT INTO parts SELECT i, i % 30, 'v' || i FROM generate_series(1, 600) i;
INSERT INTO emptied (v) SELECT 'v' || i FROM generate_series(1, 50) i;
INSERT INTO bulk SELECT i, repeat('b', 50), 0 FROM generate_series(1, 3000) i;
INSERT INTO changed SELECT i, 'v' || i, 0 FROM generate_series(1, 300) i;
INSERT INTO typed (id, a, b) SELECT i, i / 7.0, now() FROM generate_series(1, 100) i;
INSERT INTO filtered SELECT i, (ARRAY['EU', 'US', NULL])[1 + i % 3], i, 'note' FROM generate_series(1, 300) i;
INSERT INTO filtered_full SELECT i, (ARRAY['EU', 'US', NULL])[1 + i % 3], i, repeat('f', 4000) FROM generate_series(1, 100) i;
INSERT INTO archive SELECT i, 'v' || i FROM generate_series(1, 100) i;
INSERT INTO shared_a SELECT 2 * i, 'a', 0 FROM generate_series(1, 200) i;
INSERT INTO shared_b SELECT 2 * i + 1, 'b', 0 FROM generate_series(1, 200) i;

-- What the mapped targets are to hold.
CREATE VIEW control.europe AS SELECT id AS nr, region, n FROM filtered WHERE region = 'EU' AND n > 10;
CREATE VIEW control.filtered_full AS SELECT * FROM filtered_full WHERE n % 3 = 0;
CREATE VIEW control.shared AS SELECT * FROM shared_a UNION ALL SELECT * FROM shared_b;

CREATE PROCEDURE control.swap(column_name text, one int, other int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE swapped SET %1$I = -%1$I WHERE %1$I IN ($1, $2)', column_name) USING one, other;
	EXECUTE format('UPDATE swapped SET %1$I = CASE %1$I WHEN -$1 THEN $2 ELSE $1 END WHERE %1$I IN (-$1, -$2)
		AND 2 = (SELECT count(*) FROM swapped WHERE %1$I IN (-$1, -$2))', column_name) USING one, other;
	EXECUTE format('UPDATE swapped SET %1$I = -%1$I WHERE %1$I IN (-$1, -$2)', column_name) USING one, other;
END $$;

-- A large transaction with subtransactions, some of which are taken back.
CREATE PROCEDURE control.nest(depth int, rows int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. depth LOOP
		BEGIN
			INSERT INTO bulk SELECT 1000000 + control.dice(1000000) * 10 + s % 10, 'nested ' || s, i FROM generate_series(1, rows) s ON CONFLICT DO NOTHING;
			UPDATE keyed SET n = n + 1 WHERE id % 17 = i;
			DELETE FROM bag WHERE ctid = (SELECT ctid FROM bag WHERE a = i LIMIT 1);
			BEGIN
				UPDATE wide SET n = n + 1 WHERE id % 11 = i;
				INSERT INTO bag VALUES (i, 'nested', NULL, NULL, 0.5);
				IF control.dice(2) = 0 THEN
					RAISE division_by_zero;
				END IF;
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
			IF control.dice(3) = 0 THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END $$;
