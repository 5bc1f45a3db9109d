-- A shop with tables of different shapes, about 950,000 rows; pgbench adds 100,000.
SELECT setseed(0.5);

CREATE TABLE customers (
	id bigint PRIMARY KEY,
	name text NOT NULL,
	email varchar(120),
	country char(2) NOT NULL,
	born date,
	credit numeric(12,2) NOT NULL DEFAULT 0,
	tags text[],
	profile jsonb,
	since timestamptz NOT NULL
);
INSERT INTO customers
SELECT i, (ARRAY['Ann','Bo','Chidi','Dörte','Eva','Fjodor','Gül','Hana'])[1 + i % 8] || ' ' || md5(i::text),
	CASE WHEN i % 9 > 0 THEN 'c' || i || '@example.com' END,
	(ARRAY['DE','FR','US','CN','BR','IN'])[1 + i % 6], date '1950-01-01' + i % 20000, round((random() * 900)::numeric, 2),
	CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' ELSE ARRAY['vip', 'since ' || i % 20, NULL] END,
	jsonb_build_object('newsletter', i % 2 = 0, 'visits', i % 77),
	timestamptz '2015-01-01 00:00 UTC' + i * interval '47 minutes'
FROM generate_series(1, 100000) i;

-- Descriptions long enough to be stored out of line (TOAST).
CREATE TABLE products (
	id int PRIMARY KEY,
	sku uuid NOT NULL UNIQUE,
	title text NOT NULL,
	price numeric(10,2) NOT NULL,
	description text,
	picture bytea
);
INSERT INTO products
SELECT i, md5('sku' || i)::uuid, 'Product ' || i, 1 + i % 500,
	(SELECT string_agg(md5(i || '/' || j), E'\n') FROM generate_series(1, 180) j),
	decode(md5(i::text) || md5((-i)::text), 'hex')
FROM generate_series(1, 3000) i;

CREATE TABLE orders (
	id bigint PRIMARY KEY,
	customer_id bigint NOT NULL,
	placed timestamptz NOT NULL,
	state text NOT NULL,
	note text
);
INSERT INTO orders
SELECT i, 1 + i * 7 % 100000, timestamptz '2023-01-01 00:00 UTC' + i * interval '3 minutes',
	(ARRAY['new','paid','sent','done'])[1 + i % 4], CASE WHEN i % 5 = 0 THEN E'leave\tat the door\n\\N' END
FROM generate_series(1, 200000) i;

-- A key of two columns.
CREATE TABLE order_lines (
	order_id bigint,
	line int,
	product_id int NOT NULL,
	quantity int NOT NULL,
	amount numeric(12,2) NOT NULL,
	PRIMARY KEY (order_id, line)
);
INSERT INTO order_lines
SELECT o, l, 1 + (o * 13 + l) % 3000, 1 + o % 3, round((o % 1000) * l / 7.0, 2)
FROM generate_series(1, 170000) o, generate_series(1, 3) l;

-- No key at all: rows are told apart by their whole contents, and some are equal.
CREATE TABLE events (at timestamptz, source inet, what text, payload jsonb);
ALTER TABLE events REPLICA IDENTITY FULL;
INSERT INTO events
SELECT timestamptz '2024-05-01 00:00 UTC' + i / 4 * interval '1 second', ('10.0.' || i % 8 || '.' || i / 4 % 250)::inet,
	(ARRAY['view','click','search',NULL])[1 + i / 4 % 4], CASE WHEN i % 8 > 3 THEN jsonb_build_object('n', i / 4) END
FROM generate_series(1, 80000) i;

-- Emptied and filled again while the demo runs.
CREATE TABLE carts (customer_id bigint PRIMARY KEY, product_ids int[], changed timestamptz);
INSERT INTO carts SELECT i, ARRAY[i % 3000, NULL, i % 7], now() FROM generate_series(1, 5000) i;

-- Wide: an id and 60 readings of different types.
SELECT 'CREATE TABLE readings (id int PRIMARY KEY, ' || string_agg(format('r%s %s', n,
	(ARRAY['int','bigint','numeric','text','boolean','timestamp'])[1 + n % 6]), ', ' ORDER BY n) || ')'
FROM generate_series(1, 60) n \gexec
SELECT 'INSERT INTO readings SELECT i, ' || string_agg(format(
	(ARRAY['i * %s', 'i * 1000003::bigint * %s', 'i / (%s + 1.0)', 'md5((i + %s)::text)',
		'mod(i + %s, 2) = 0', 'timestamp ''2024-01-01'' + i * %s * interval ''1 second'''])[1 + n % 6], n),
	', ' ORDER BY n) || ' FROM generate_series(1, 15000) i'
FROM generate_series(1, 60) n \gexec

CREATE SEQUENCE new_orders START 1000000;
CREATE SEQUENCE new_customers START 1000000;
