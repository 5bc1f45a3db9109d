-- A partitioned table is one table: its root.
CREATE TABLE orders (id int, region text, amount numeric, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE orders_eu (amount numeric, gone int, region text NOT NULL, id int NOT NULL, PRIMARY KEY (id, region));
ALTER TABLE orders_eu DROP COLUMN gone;
ALTER TABLE orders ATTACH PARTITION orders_eu FOR VALUES IN ('EU');
CREATE TABLE orders_us PARTITION OF orders FOR VALUES IN ('US') PARTITION BY RANGE (id);
CREATE TABLE orders_us_low PARTITION OF orders_us FOR VALUES FROM (0) TO (100);
CREATE TABLE orders_us_high PARTITION OF orders_us FOR VALUES FROM (100) TO (200);

INSERT INTO orders VALUES (1, 'EU', 1.5), (2, 'US', 2.5), (150, 'US', 3.5);
UPDATE orders SET amount = amount * 2;
UPDATE orders SET id = id + 1;
SELECT * FROM changes();

-- A row that moves to another leaf.
UPDATE orders SET region = 'EU' WHERE id = 3;
DELETE FROM orders WHERE region = 'EU';
SELECT * FROM changes();

-- A new leaf, a leaf that leaves, a column for all.
CREATE TABLE orders_asia PARTITION OF orders FOR VALUES IN ('ASIA');
INSERT INTO orders VALUES (1, 'ASIA', 1);
INSERT INTO orders VALUES (2, 'US', 1);
ALTER TABLE orders DETACH PARTITION orders_asia;
INSERT INTO orders VALUES (3, 'US', 1);
INSERT INTO orders_asia VALUES (2, 'ASIA', 2);
ALTER TABLE orders ADD COLUMN note text DEFAULT 'none';
INSERT INTO orders VALUES (4, 'EU', 1), (4, 'US', 1);
UPDATE orders SET amount = 5 WHERE id = 2;
SELECT * FROM changes();

-- A new leaf below a table in between that has had no change of its own.
CREATE TABLE orders_far PARTITION OF orders FOR VALUES IN ('FAR') PARTITION BY RANGE (id);
INSERT INTO orders VALUES (5, 'EU', 1);
CREATE TABLE orders_far_low PARTITION OF orders_far FOR VALUES FROM (0) TO (100);
INSERT INTO orders VALUES (6, 'EU', 1);
SELECT regexp_replace(line, 'columns: .* (leaves: )?', '\1') FROM changes() line;

-- The leaf's replica identity decides what there is of old rows.
ALTER TABLE orders_eu REPLICA IDENTITY FULL;
ALTER TABLE orders_us_low REPLICA IDENTITY NOTHING;
BEGIN;
UPDATE orders SET amount = 6 WHERE id = 4;
UPDATE orders SET id = id + 10 WHERE id = 4;
DELETE FROM orders WHERE id = 14;
COMMIT;
SELECT * FROM changes();

-- Leaves by name, where the root is not selected.
INSERT INTO orders VALUES (20, 'EU', 1), (20, 'US', 1), (120, 'US', 1);
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'tables', 'public.orders_eu')
WHERE data LIKE 'table%' OR data LIKE 'relation%';
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'tables', 'public.orders_us')
WHERE data LIKE 'table%' OR data LIKE 'relation%';
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'tables', 'public.orders_us, public.orders_us_low')
WHERE data LIKE 'table%';
-- A wildcard catches no leaf, and whoever selects the root gets all its rows.
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'tables', 'public.orders_*')
WHERE data LIKE 'table%';
SELECT mask(data) FROM pg_logical_slot_peek_changes(current_database(), NULL, NULL, 'format', 'text', 'exclude_tables', 'public.orders')
WHERE data LIKE 'table%';
SELECT * FROM rows('tables', 'public.orders, public.orders_eu');

-- The root is renamed; tables in between are moved to another root.
ALTER TABLE orders RENAME TO all_orders;
INSERT INTO all_orders VALUES (21, 'EU', 1);
CREATE TABLE other_root (id int, region text, amount numeric, note text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
BEGIN;
ALTER TABLE all_orders DETACH PARTITION orders_us;
INSERT INTO orders_us VALUES (22, 'US', 1);
ALTER TABLE other_root ATTACH PARTITION orders_us FOR VALUES IN ('US');
INSERT INTO other_root VALUES (23, 'US', 1);
COMMIT;
SELECT * FROM rows();

-- Inheritance is something else: each table is its own.
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2, 'x');
DELETE FROM parent;
SELECT * FROM rows();
