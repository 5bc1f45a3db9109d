#!/usr/bin/perl
# A partitioned table is one table, whichever leaf its rows are in.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

$t->source_sql(q{
	CREATE SCHEMA leaves;
	CREATE TABLE orders (id int, at date NOT NULL, region text NOT NULL, total numeric, note text, PRIMARY KEY (id, at, region)) PARTITION BY RANGE (at);
	CREATE TABLE leaves.orders_2023 PARTITION OF orders FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
	CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (region);
	CREATE TABLE leaves.orders_2024_eu PARTITION OF orders_2024 FOR VALUES IN ('eu');
	CREATE TABLE leaves.orders_2024_rest PARTITION OF orders_2024 DEFAULT;
	-- A leaf with its columns in another order, and with one that was dropped.
	CREATE TABLE leaves.odd (note text, gone int, total numeric, at date NOT NULL, region text NOT NULL, id int, PRIMARY KEY (id, at, region));
	ALTER TABLE leaves.odd DROP COLUMN gone;
	ALTER TABLE orders ATTACH PARTITION leaves.odd FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
	INSERT INTO orders SELECT i, date '2023-01-01' + i % 1095, CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE '' END, i / 3.0, 'note ' || i
		FROM generate_series(1, 3000) i;

	CREATE TABLE unkeyed (a int, b text) PARTITION BY HASH (a);
	CREATE TABLE leaves.unkeyed_0 PARTITION OF unkeyed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE leaves.unkeyed_1 PARTITION OF unkeyed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	ALTER TABLE leaves.unkeyed_0 REPLICA IDENTITY FULL; ALTER TABLE leaves.unkeyed_1 REPLICA IDENTITY FULL; ALTER TABLE unkeyed REPLICA IDENTITY FULL;
	INSERT INTO unkeyed SELECT i % 10, 'b' FROM generate_series(1, 100) i;

	CREATE TABLE empty_root (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE no_leaf (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE plain (id int PRIMARY KEY);
	CREATE TABLE parent (id int PRIMARY KEY, v text);
	CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
	INSERT INTO parent VALUES (1, 'parent'); INSERT INTO child VALUES (2, 'child', 3);
});
my @tables = qw(public.orders public.unkeyed public.empty_root public.plain public.child);

# Rows of a table that others inherit from are its own alone.
sub equal_parent
{
	is($t->destination_sql('SELECT * FROM parent ORDER BY id'), $t->source_sql('SELECT * FROM ONLY parent ORDER BY id'), 'a parent by inheritance');
}

$t->configure;
my $check = $t->run_ok('check');
unlike($check->{stdout}, qr/orders_2024|leaves\./, 'partitions are no tables of their own');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);
equal_parent();
is($t->destination_sql("SELECT count(*) FROM pg_tables WHERE tablename ~ 'orders|unkeyed'"), 2, 'one target each');

$t->start;

sub change
{
	my ($name, $sql) = @_;
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	$t->all_equal_ok(@tables);
	equal_parent();
}

change('rows change within their leaves', q{
	UPDATE orders SET total = total + 1 WHERE id % 3 = 0;
	DELETE FROM orders WHERE id % 7 = 0;
	INSERT INTO orders SELECT 10000 + i, date '2023-01-01' + i % 1095, 'eu', 1, NULL FROM generate_series(1, 1000) i;
	UPDATE leaves.odd SET note = 'odd' WHERE id % 2 = 0; INSERT INTO leaves.odd VALUES ('direct', 1, '2025-05-05', 'x', 77777);
	UPDATE orders SET id = -id WHERE id % 50 = 0;
	UPDATE unkeyed SET b = 'c' WHERE a < 3; DELETE FROM unkeyed WHERE a = 5; INSERT INTO unkeyed VALUES (1, NULL), (1, NULL);
	UPDATE parent SET v = v || '!'; INSERT INTO parent VALUES (11, 'p'); INSERT INTO child VALUES (12, 'c');
});
change('rows move between leaves and levels', q{
	UPDATE orders SET at = at + 365 WHERE at < '2024-06-01' AND id % 2 = 0;
	UPDATE orders SET region = 'eu' WHERE region = 'us' AND at BETWEEN '2024-01-01' AND '2024-12-31';
	BEGIN; UPDATE orders SET at = '2025-02-03' WHERE id = 10005; UPDATE orders SET at = '2023-02-03' WHERE id = 10005; UPDATE orders SET at = '2024-02-03', region = 'none' WHERE id = 10005; COMMIT;
	UPDATE unkeyed SET a = a + 100;
});
change('a new partition, and one that is attached empty', q{
	CREATE TABLE leaves.orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
	INSERT INTO orders VALUES (1, '2026-03-03', 'eu', 1, 'new leaf');
	CREATE TABLE leaves.late (region text NOT NULL, at date NOT NULL, total numeric, id int, note text, PRIMARY KEY (id, at, region));
	ALTER TABLE orders ATTACH PARTITION leaves.late FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
	INSERT INTO orders VALUES (1, '2027-03-03', 'eu', 1, 'attached leaf'), (2, '2027-03-03', '', 2, NULL);
	UPDATE orders SET total = 5 WHERE at > '2026-01-01'; UPDATE orders SET at = '2023-03-03' WHERE at = '2027-03-03' AND id = 2;
	CREATE TABLE leaves.first PARTITION OF empty_root FOR VALUES FROM (0) TO (10); INSERT INTO empty_root VALUES (1), (2); DELETE FROM empty_root WHERE id = 1;
	BEGIN; CREATE TABLE leaves.second PARTITION OF empty_root FOR VALUES FROM (10) TO (20); INSERT INTO empty_root VALUES (15); COMMIT;
});
change('TRUNCATE of the root, with others', q{
	TRUNCATE orders, plain; INSERT INTO orders SELECT i, '2024-01-01', 'eu', i, 'after' FROM generate_series(1, 10) i;
	BEGIN; DELETE FROM unkeyed WHERE a < 105; TRUNCATE unkeyed; INSERT INTO unkeyed VALUES (1, 'x'); COMMIT;
	TRUNCATE ONLY parent;
});
$t->run_ok('compare');
# What only the leaves' own statements do to the rows is not in the stream.
sub copied_again
{
	my ($name, $sql, $pattern) = @_;
	my $before = () = $t->log =~ /copied public\.orders:/g;
	$t->source_sql($sql);
	$t->poll_ok(sub { (() = $t->log =~ /copied public\.orders:/g) > $before }, "$name: copied again");
	like($t->log, $pattern, "$name: the log says why");
	$t->wait_applied_ok("$name: goes on");
	$t->equal_ok('public.orders');
}
# What rows got in a new column is known of a partitioned table, too.
for my $change ([ 'ADD COLUMN', 'ALTER TABLE orders ADD COLUMN plain int, ADD COLUMN constant text DEFAULT \'x\' NOT NULL; UPDATE orders SET plain = 1 WHERE id < 5' ],
	[ 'ADD COLUMN and another default', 'ALTER TABLE orders ADD COLUMN more int; ALTER TABLE orders ALTER COLUMN more SET DEFAULT 3; INSERT INTO orders (id, at, region) VALUES (5000, \'2024-01-01\', \'eu\')' ],
	[ 'ADD COLUMN without a partition', 'ALTER TABLE no_leaf ADD COLUMN b int' ])
{
	my ($name, $sql) = @$change;
	my $before = () = $t->log =~ /copied public\.\w+:/g;
	$t->source_sql($sql);
	$t->wait_applied_ok("$name: followed");
	is(scalar(() = $t->log =~ /copied public\.\w+:/g), $before, "$name: without a copy");
	$t->all_equal_ok('public.orders', 'public.no_leaf');
}
copied_again('TRUNCATE of a leaf', 'TRUNCATE leaves.orders_2024_eu; INSERT INTO orders SELECT i, date \'2023-01-01\' + i, \'eu\', i, \'more\' FROM generate_series(1, 900) i',
	qr/public\.orders is copied again: its partition leaves\.orders_2024_eu was truncated by itself/);
copied_again('DETACH', 'ALTER TABLE orders DETACH PARTITION leaves.orders_2023', qr/public\.orders is copied again: partitions were attached, detached or dropped/);
copied_again('ATTACH with rows', 'BEGIN; CREATE TABLE leaves.filled (LIKE orders INCLUDING DEFAULTS); INSERT INTO leaves.filled VALUES (7, \'2029-01-01\', \'eu\', 7, \'filled\'); ALTER TABLE orders ATTACH PARTITION leaves.filled FOR VALUES FROM (\'2029-01-01\') TO (\'2030-01-01\'); COMMIT', qr/public\.orders is copied again/);
$t->source_sql("ALTER TABLE orders DETACH PARTITION leaves.filled; DROP TABLE leaves.filled; ALTER TABLE orders ATTACH PARTITION leaves.orders_2023 FOR VALUES FROM ('2023-01-01') TO ('2024-01-01'); TRUNCATE orders");
$t->wait_applied_ok;
$t->stop;
# A crash of the source takes away in which order a transaction's commands were executed.  The first table brings the catalog's page into the log.
$t->source_sql('CHECKPOINT; CREATE TABLE leaves.other (LIKE orders INCLUDING DEFAULTS)');
for my $case ([ 'orders', q{SELECT i, '2031-01-01', 'eu', 1, 'c' FROM generate_series(1, 30) i}, q{'2031-01-01'}, q{'2032-01-01'} ], [ 'no_leaf', 'VALUES (1, 2)', 0, 10 ]) {
	my ($root, $rows, $from, $to) = @$case;
	$t->source_sql("BEGIN; CREATE TABLE leaves.filled_$root (LIKE $root INCLUDING DEFAULTS); INSERT INTO leaves.filled_$root $rows; ALTER TABLE $root ATTACH PARTITION leaves.filled_$root FOR VALUES FROM ($from) TO ($to); COMMIT");
}
$t->source->stop('immediate');
$t->source->start;
$t->start;
$t->wait_applied_ok('tables attached with rows before a crash of the source: applied');
$t->equal_ok($_, wait => 1) for 'public.orders', 'public.no_leaf';
$t->source_sql('DROP TABLE leaves.other');
$t->stop;
$t->run_ok('drop');

# ---- a leaf by itself

$t->destination_sql('DROP TABLE orders, unkeyed, empty_root, no_leaf, plain, parent, child');
$t->configure({ tables => { include => [ 'leaves.orders_2023', 'leaves.odd', 'public.plain' ] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->start;
$t->source_sql(q{
	INSERT INTO orders SELECT i, date '2023-01-01' + i, 'eu', i, 'leaf' FROM generate_series(1, 1000) i;
	UPDATE orders SET total = 0 WHERE id % 2 = 0; UPDATE orders SET at = at + 365 WHERE id < 100 AND at < '2024-01-01';
	UPDATE orders SET at = at - 700 WHERE id BETWEEN 750 AND 900 AND at >= '2025-01-01'; TRUNCATE leaves.odd; INSERT INTO leaves.odd VALUES ('n', 1, '2025-01-01', 'r', 1);
});
$t->wait_applied_ok;
$t->all_equal_ok('leaves.orders_2023', 'leaves.odd');
is($t->stop, 0, 'it stops');
is($t->destination_sql("SELECT count(*) FROM pg_tables WHERE tablename ~ 'orders'"), 1, 'the others are left alone');
$t->run_ok('drop');

# ---- a leaf that is named beside its root, and one by a pattern alone

$t->destination_sql('DROP TABLE leaves.orders_2023, leaves.odd, plain');
$t->configure({ tables => { include => [ 'public.orders', 'leaves.orders_2023' ] } });
like($t->sluice('schema')->{stdout}, qr/\A(?!.*orders_2023).*"orders"/s, 'the root has its rows already');
$t->configure({ tables => { include => [ 'leaves.*', 'public.plain' ] } });
unlike($t->sluice('schema')->{stdout}, qr/"leaves"/, 'a pattern is not enough to select a leaf');

# ---- the replica identity that counts is the partitions'

$t->source_sql('CREATE TABLE bare (a int) PARTITION BY RANGE (a); CREATE TABLE leaves.bare_1 PARTITION OF bare FOR VALUES FROM (0) TO (10); ALTER TABLE bare REPLICA IDENTITY FULL');
$t->configure({ tables => { include => ['public.bare'] } });
$t->fails_like(['check'], 3, qr/public\.bare: it has no replica identity .*REPLICA IDENTITY FULL for each of its partitions/, 'a root without identity: the remedy is the partitions\'');
$t->source_sql('ALTER TABLE leaves.bare_1 REPLICA IDENTITY FULL');
$t->run_ok('check');

# ---- a table with many columns that gets partitions all the time

my $columns = join ', ', map { "a_long_name_of_a_column_$_ int" } 1 .. 1500;
$t->source_sql("CREATE TABLE wide (id int PRIMARY KEY, $columns) PARTITION BY LIST (id)");
$t->configure({ tables => { include => ['public.wide'] } });
$t->run_ok('drop');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql("CREATE TABLE leaves.wide_$_ PARTITION OF wide FOR VALUES IN ($_); INSERT INTO wide (id) VALUES ($_)") for 1 .. 25;
$t->poll_ok(sub { $t->log =~ /replaced descriptions of partitioned tables take \d+ MB: starting over.*streaming from/s }, 'what piles up in a session is freed by another one');
$t->source_sql('INSERT INTO wide (id) SELECT i FROM generate_series(1, 25) i ON CONFLICT DO NOTHING; UPDATE wide SET a_long_name_of_a_column_7 = id');
$t->wait_applied_ok('which goes on');
is($t->destination_sql('SELECT count(*) FROM wide WHERE a_long_name_of_a_column_7 = id'), 25, 'and nothing is lost');
my $sessions = () = $t->log =~ /streaming from/g;
is($sessions, 2, 'once');
is($t->stop, 0, 'it stops');

done_testing();
