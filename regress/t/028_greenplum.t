#!/usr/bin/perl
# What only Greenplum has: distribution, append-optimized tables, partitions of
# its own kind.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

plan skip_all => 'needs a Greenplum destination' unless SluiceTest::destination_is_external();
my $t = SluiceTest->new;
plan skip_all => 'the destination is not Greenplum' unless $t->destination_is_greenplum;
my $six = $t->destination_is_greenplum6;
my $long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i)";

my @kinds = qw(heap ao_row ao_column elsewhere random partitioned premade);
$t->source_sql(join ";\n", map { "CREATE TABLE $_ (id int, part int, v text, toasted text, n numeric, PRIMARY KEY (id, part)); ALTER TABLE $_ ALTER toasted SET STORAGE EXTERNAL;
	INSERT INTO $_ SELECT i, i % 10, 'v' || i, CASE WHEN i % 10 = 0 THEN long END, i / 3.0 FROM generate_series(1, 1000) i, $long l (long);
	CREATE TABLE ${_}_keyless (a int, b text); ALTER TABLE ${_}_keyless REPLICA IDENTITY FULL;
	INSERT INTO ${_}_keyless SELECT i % 7, CASE WHEN i % 3 = 0 THEN 'b' END FROM generate_series(1, 500) i" } @kinds);
my @tables = map { ("public.$_", "public.${_}_keyless") } @kinds;

# Floats within values, whose digits depend on the server's version; text of such a value keeps the source's.
my ($lacks_cube) = SluiceTest::psql_try($t->destination_conninfo, 'CREATE EXTENSION cube'); # some servers come without it, or cannot make it
my $cube = $lacks_cube ? 'text' : 'cube';
$t->source_sql('CREATE EXTENSION cube') if !$lacks_cube;
my $value = $cube eq 'cube' ? 'cube(ARRAY[0.1, v])' : q{'(0.1, ' || v || ')'};
$t->source_sql(qq{
	CREATE TYPE kept AS (f float8, t text); CREATE TYPE as_text AS (f float8, m xid8); CREATE TYPE span AS RANGE (SUBTYPE = float8);
	CREATE TABLE floats (id int PRIMARY KEY, c $cube, k kept, a as_text, s span, f float8, n int);
	INSERT INTO floats SELECT i, $value, ROW(v, 't')::kept, ROW(v, NULL)::as_text, span(v - 1, v), v, i FROM unnest(ARRAY[0.1, 0.30000000000000004, 1e-300, 2 / 3.0::float8, 1.7976931348623157e308]) WITH ORDINALITY u (v, i);
});
$t->source_sql('CREATE TABLE grown (id int PRIMARY KEY, v text); CREATE TABLE grown_keyless (a int, b text); ALTER TABLE grown_keyless REPLICA IDENTITY FULL');

# Targets that sluice does not make.
my $ao = $six ? 'WITH (appendonly = true, orientation = column, compresstype = zlib)' : 'USING ao_column';
for my $table ([ 'partitioned', 'id int, part int, v text, toasted text, n numeric', 'id', 'part' ],
	[ 'partitioned_keyless', 'a int, b text', 'a', 'a' ])
{
	my ($name, $columns, $by, $part) = @$table;
	$t->destination_sql("CREATE TABLE $name ($columns) DISTRIBUTED BY ($by) PARTITION BY RANGE ($part) (START (0) END (5) EVERY (1), DEFAULT PARTITION rest)");
}
$t->destination_sql("CREATE TABLE premade (n numeric, v text, id int, part int, toasted text, mine text DEFAULT 'm') $ao DISTRIBUTED BY (v)");
$t->destination_sql("CREATE TABLE premade_keyless (b text, a int) $ao DISTRIBUTED BY (b)");

$t->configure({ tables => { overrides => [
	(map { my $storage = $_; map { { source => "public.$_", storage => $storage } } $storage, "${storage}_keyless" } qw(heap ao_row ao_column)),
	{ source => 'public.elsewhere', distributed_by => ['part'] },
	{ source => 'public.elsewhere_keyless', distributed_by => ['a'] },
] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);

sub described
{
	my ($table) = @_;
	my $storage = $six ? 'c.relstorage' : '(SELECT amname FROM pg_am m WHERE m.oid = c.relam)';
	return $t->destination_sql("SELECT $storage || ' ' || coalesce((SELECT string_agg(a.attname, ',' ORDER BY o) FROM
			(SELECT unnest(distkey::int2[]) AS k, generate_series(1, array_length(distkey::int2[], 1)) AS o FROM gp_distribution_policy p WHERE p.localoid = c.oid) d
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.k), 'randomly')
		|| CASE WHEN EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) THEN ' key' ELSE '' END
		FROM pg_class c WHERE c.oid = 'public.$table'::regclass");
}
my %heap = $six ? (heap => 'h', row => 'a', column => 'c') : (heap => 'heap', row => 'ao_row', column => 'ao_column');
is(described('heap'), "$heap{heap} id,part key", 'heap, distributed by its key');
is(described('heap_keyless'), "$heap{heap} randomly", 'without a key, randomly');
is(described('ao_row'), "$heap{row} id,part", 'append-optimized rows');
is(described('ao_column'), "$heap{column} id,part", 'and columns');
is(described('elsewhere'), "$heap{heap} part key", 'distributed as configured');
is(described('elsewhere_keyless'), "$heap{heap} a", 'and without a key');

$t->start;

sub change
{
	my ($name, $sql) = @_;
	$t->source_sql(join ";\n", 'BEGIN', (map { $sql =~ s{\bT(?=\b|_)}{$_}gr } @kinds), 'COMMIT');
	$t->wait_applied_ok($name);
	$t->all_equal_ok(@tables);
}
change('few changes', q{
	UPDATE T SET v = 'new' WHERE id % 100 = 0; DELETE FROM T WHERE id % 100 = 1; INSERT INTO T SELECT i, i % 10, 'inserted' FROM generate_series(2001, 2020) i;
	UPDATE T SET id = id + 5000 WHERE id BETWEEN 11 AND 15; UPDATE T SET part = 3 WHERE id BETWEEN 21 AND 30; UPDATE T SET n = 0 WHERE id % 20 = 0;
	DELETE FROM T_keyless WHERE ctid IN (SELECT ctid FROM T_keyless WHERE a = 1 LIMIT 10); UPDATE T_keyless SET b = 'c' WHERE a = 2; INSERT INTO T_keyless VALUES (NULL, NULL), (NULL, NULL)
});
change('many changes', q{
	UPDATE T SET v = v || '!', n = n + 1; DELETE FROM T WHERE id % 5 = 2; UPDATE T SET id = id + 10000 WHERE id % 5 = 3; UPDATE T SET part = 9 - part WHERE id % 7 = 0 AND part <> 9 - part;
	UPDATE T_keyless SET a = a + 1 WHERE a < 4; DELETE FROM T_keyless WHERE b IS NULL
});
change('truncate', q{TRUNCATE T, T_keyless; INSERT INTO T SELECT i, 0, 'after' FROM generate_series(1, 5) i; INSERT INTO T_keyless VALUES (1, 'after')});

# The planner learns how large targets have become that were empty when they were copied.
$t->source_sql("INSERT INTO $_ SELECT i, 'many rows' FROM generate_series(1, 60000) i") for qw(grown grown_keyless);
$t->wait_applied_ok('tables grow');
$t->source_sql('DELETE FROM grown WHERE id % 1000 = 0; DELETE FROM grown_keyless WHERE a % 1000 = 0');
$t->wait_applied_ok('and change');
$t->all_equal_ok('public.grown', 'public.grown_keyless');
for my $table (qw(grown grown_keyless))
{
	$t->poll_ok(sub { $t->destination_sql("SELECT reltuples::bigint FROM pg_class WHERE oid = 'public.$table'::regclass") >= 59000 },
		"the planner knows the size of $table");
}

# VACUUM counts versions of the row that it cannot remove yet: there is a new one with each batch and each renewal of the lease.
cmp_ok($t->destination_sql(q{SELECT reltuples::bigint FROM pg_class WHERE oid = 'sluice.progress'::regclass}), '<', 10, 'and of the table of the position');

is($t->stop, 0, 'it stops');
is($t->destination_sql("SELECT count(*) FROM premade WHERE mine = 'm'"), 5, 'a column of the target alone has its default');

# ---- compare tells floats apart from their digits

$t->source_sql('UPDATE floats SET n = -n WHERE id > 1');
$t->run_ok('run', '--until', 'current');
$t->run_ok('compare', 'public.floats');
for my $change ('k = ROW(0.2, NULL)::kept', q{a = replace(a, '0.30000000000000004', '0.3')}, q{s = '[0.25,1]'}, 'f = 0.3', q{c = '(1, 2)'})
{
	$t->destination_sql("BEGIN; CREATE TABLE kept_row AS SELECT * FROM floats WHERE id = 2; UPDATE floats SET $change WHERE id = 2; COMMIT");
	$t->fails_like([ 'compare', 'public.floats' ], 4, qr/differ/, "a difference: $change");
	$t->destination_sql('BEGIN; DELETE FROM floats WHERE id = 2; INSERT INTO floats SELECT * FROM kept_row; DROP TABLE kept_row; COMMIT');
}
$t->run_ok('compare', 'public.floats');

# ---- a key where the rows lie at random

$t->source_sql('BEGIN; DROP TABLE grown_keyless; CREATE TABLE grown_keyless (id int PRIMARY KEY, b text); INSERT INTO grown_keyless SELECT i, NULL FROM generate_series(1, 20) i; COMMIT');
$t->run_ok('run', '--until', 'current');
$t->source_sql("UPDATE grown_keyless SET b = 'new' WHERE id < 10; DELETE FROM grown_keyless WHERE id > 15");
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.grown_keyless');

# ---- a value that it cannot store

SKIP: {
	skip 'both servers have infinite numerics, or the source has none', 2 if $t->destination_version >= 140000 || $t->source_sql('SHOW server_version_num') < 140000;
	$t->source_sql("INSERT INTO heap VALUES (100, 0, 'fine', NULL, 1); INSERT INTO ao_row VALUES (101, 0, 'not fine', NULL, 'Infinity')");
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.ao_row.*column n/, 'an infinite numeric stops the run by table and column');
}

done_testing();
