#!/usr/bin/perl
# The shortest whole way: check, copy, follow, stop, compare.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

$t->source_sql(q{
	CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, since timestamptz, score float8);
	CREATE TABLE order_lines (order_id int, line int, product text, amount numeric(12,2),
		PRIMARY KEY (order_id, line));
	CREATE TABLE events (at timestamptz, what text);
	ALTER TABLE events REPLICA IDENTITY FULL;
	INSERT INTO customers SELECT i, 'customer ' || i, timestamptz '2020-01-01' + i * interval '1 hour', i / 7.0
		FROM generate_series(1, 5000) i;
	INSERT INTO order_lines SELECT i, l, repeat('x', l), i * l / 3.0
		FROM generate_series(1, 2000) i, generate_series(1, 4) l;
	INSERT INTO events SELECT '2024-01-01', 'event ' || i % 10 FROM generate_series(1, 1000) i;
});
my @tables = qw(public.customers public.order_lines public.events);

$t->configure;
$t->run_ok('check');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

$t->start;
$t->source_sql(q{
	INSERT INTO customers VALUES (100001, E'tab\tnew line\nbackslash \\\\ null \\\\N', NULL, 'NaN');
	UPDATE customers SET name = upper(name) WHERE id % 7 = 0;
	UPDATE customers SET id = id + 50000 WHERE id <= 100;
	DELETE FROM customers WHERE id % 11 = 0;
	DELETE FROM order_lines WHERE order_id = 17 OR line = 3;
	DELETE FROM events WHERE what = 'event 3';
	UPDATE events SET what = NULL WHERE what = 'event 4';
	BEGIN; INSERT INTO customers VALUES (200000, 'never', NULL, 0); ROLLBACK;
});
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->all_equal_ok(@tables);

done_testing();
