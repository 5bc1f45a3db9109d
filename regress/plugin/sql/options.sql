-- Whatever the plugin cannot obey is an error that names what it can.
\set VERBOSITY terse
CREATE TABLE t (id int PRIMARY KEY);
INSERT INTO t VALUES (1);
SELECT * FROM rows('no_such_option', '1');
SELECT * FROM rows('protocol', '1');
SELECT * FROM rows('protocol', '1, 3');
SELECT * FROM rows('protocol', 'one');
SELECT * FROM rows('protocol', '');
SELECT * FROM rows('protocol', '-1');
SELECT * FROM rows('protocol', '2', 'protocol', '2');
SELECT * FROM rows('operations', 'insert,upsert');
SELECT * FROM rows('operations', '');
SELECT * FROM rows('streaming', 'true');
SELECT * FROM rows('messages', 'yes');
SELECT * FROM rows('definitions', 'no');
SELECT * FROM rows('seen', '733');
SELECT * FROM rows('seen', '1:0/1');
SELECT * FROM rows('seen', '733:FFFFFFF/28');
SELECT * FROM rows('compression', 'zstd');
SELECT * FROM rows('tables', 'orders');
SELECT * FROM rows('tables', 'public.t,');
SELECT * FROM rows('tables', '');
SELECT * FROM rows('exclude_tables', 'public."t');
SELECT * FROM rows('text_tables', 'public.a.b');
SELECT * FROM pg_logical_slot_get_changes(current_database(), NULL, NULL, 'format', 'xml');
SELECT * FROM pg_logical_slot_get_changes(current_database(), NULL, NULL, 'format', NULL);
SELECT * FROM pg_logical_slot_get_changes(current_database(), NULL, NULL, 'format', 'binary');
SELECT * FROM pg_logical_slot_get_changes(current_database(), NULL, NULL);

\set VERBOSITY default
SELECT * FROM rows('no_such_option', '1');
SELECT * FROM rows('protocol', '1');
SELECT * FROM rows('operations', 'upsert');
SELECT * FROM rows('compression', 'zstd');
SELECT * FROM rows('tables', 'orders');

-- None of that has moved the slot.
SELECT * FROM rows('protocol', '3,2', 'streaming', 'off', 'compression', 'lz4');
SELECT count(*) FROM pg_logical_slot_get_binary_changes(current_database(), NULL, NULL);
