#!/usr/bin/perl
# Targets that were there first and look different: order, more columns, wider
# types, triggers, foreign keys, other storage; and transactions of all kinds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => 'max_prepared_transactions = 5' });
my $greenplum = $t->destination_is_greenplum;
my $long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i)";

sub target { return $t->destination_sql($_[0]); }

$t->source_sql(qq{
	CREATE TABLE shuffled (id int PRIMARY KEY, a text, b numeric, c date);
	CREATE TABLE wider (id int PRIMARY KEY, n smallint, v varchar(10), c char(5), d numeric(5,2), j jsonb, e int[], f real, ts timestamp(0));
	CREATE TABLE extra (id int PRIMARY KEY, a text, u int UNIQUE, toasted text);
	ALTER TABLE extra ALTER toasted SET STORAGE EXTERNAL;
	CREATE TABLE extra_keyless (a int, b text);
	ALTER TABLE extra_keyless REPLICA IDENTITY FULL;
	CREATE TABLE mapped (id int PRIMARY KEY, a text);
	CREATE TABLE by_other_key (id int PRIMARY KEY, code text NOT NULL, v text);
	ALTER TABLE by_other_key REPLICA IDENTITY FULL;
	INSERT INTO shuffled SELECT i, 'a' || i, i / 7.0, date '2024-01-01' + i FROM generate_series(1, 100) i;
	INSERT INTO wider SELECT i, i, 'v' || i, 'c', i, jsonb_build_object('i', i), ARRAY[i, NULL], i / 3.0::real, '2024-01-01' FROM generate_series(1, 100) i;
	INSERT INTO extra SELECT i, 'a' || i, i, long || i FROM generate_series(1, 100) i, $long l (long);
	INSERT INTO extra_keyless SELECT i % 5, 'b' FROM generate_series(1, 100) i;
	INSERT INTO mapped SELECT i, 'a' FROM generate_series(1, 10) i;
	INSERT INTO by_other_key SELECT i, 'code ' || i, 'v' FROM generate_series(1, 10) i;
});
target(q{
	CREATE SCHEMA dw;
	CREATE TABLE shuffled (c date, id int PRIMARY KEY, b numeric, a text);
	CREATE TABLE wider (id bigint PRIMARY KEY, n int, v text, c varchar(20), d numeric, j text, e text, f float8, ts timestamptz);
	CREATE TABLE extra (mine text DEFAULT 'mine', id int PRIMARY KEY, loaded int DEFAULT 7, a text, u int, toasted text, nothing text);
	CREATE TABLE extra_keyless (b text, a int);
	CREATE TABLE dw.other (id int PRIMARY KEY, a text);
	CREATE TABLE by_other_key (id int, code text PRIMARY KEY, v text);
	-- A name that is longer than it was, and a column that was dropped.
	ALTER TABLE shuffled ADD COLUMN gone int; ALTER TABLE shuffled DROP COLUMN gone;
} =~ s/(?<=PRIMARY KEY, loaded int DEFAULT 7, a text, u int)/$greenplum ? '' : ' UNIQUE'/er);
$t->configure({ schema => { create => JSON::PP::false }, tables => { overrides => [
	{ source => 'public.mapped', target => 'dw.other' },
	{ source => 'public.by_other_key', key => ['code'] },
] } });
my %columns = (
	shuffled => [qw(id a b c)], extra => [qw(id a u toasted)], extra_keyless => [qw(a b)], by_other_key => [qw(id code v)],
);

sub all_equal
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->equal_ok("public.$_", columns => $columns{$_}) for sort keys %columns;
	$t->equal_ok('public.mapped', target => 'dw.other');
	my $wider = "SELECT string_agg(concat_ws('|', id, n, v, rtrim(c), d::numeric, replace(j::text, ' ', ''), e, round(f::numeric, 3), ts::timestamp), ',' ORDER BY id) FROM wider";
	is(target($wider), $t->source_sql($wider), 'public.wider is equal, in wider types');
}

$t->run_ok('check');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
all_equal();
is(target("SELECT count(*) FROM extra WHERE mine = 'mine' AND loaded = 7 AND nothing IS NULL"), 100, 'more columns have their defaults');
target("UPDATE extra SET mine = 'mine ' || id, loaded = id");

$t->start;
$t->source_sql(qq{
	UPDATE shuffled SET a = NULL WHERE id % 2 = 0; DELETE FROM shuffled WHERE id % 7 = 0; UPDATE shuffled SET id = -id WHERE id < 20; INSERT INTO shuffled VALUES (500, 'x', 1, NULL);
	UPDATE wider SET v = 'new', n = 5, d = 1.5, j = '[1]', e = '{}' WHERE id % 2 = 0; DELETE FROM wider WHERE id % 7 = 0; UPDATE wider SET id = -id WHERE id < 20; INSERT INTO wider (id) VALUES (500);
	UPDATE extra_keyless SET b = 'c' WHERE a < 2; DELETE FROM extra_keyless WHERE ctid IN (SELECT ctid FROM extra_keyless WHERE a = 3 LIMIT 5);
	UPDATE mapped SET a = 'b' WHERE id < 5; DELETE FROM mapped WHERE id = 7; UPDATE mapped SET id = 70 WHERE id = 8;
	UPDATE by_other_key SET v = 'w' WHERE id < 5; UPDATE by_other_key SET code = code || '!' WHERE id > 7; UPDATE by_other_key SET id = id + 100; DELETE FROM by_other_key WHERE id = 103;
	UPDATE extra SET a = 'updated' WHERE id % 2 = 0;
	UPDATE extra SET id = id + 1000 WHERE id BETWEEN 11 AND 20;
	DELETE FROM extra WHERE id BETWEEN 21 AND 30;
	INSERT INTO extra SELECT i, 'inserted', i FROM generate_series(201, 210) i;
	BEGIN; UPDATE extra SET u = -u WHERE id BETWEEN 31 AND 40; UPDATE extra SET u = 71 + u WHERE id BETWEEN 31 AND 40; COMMIT;
	BEGIN; UPDATE extra SET id = -1 WHERE id = 41; UPDATE extra SET id = 41 WHERE id = 42; UPDATE extra SET id = 42 WHERE id = -1; COMMIT;
	BEGIN; DELETE FROM extra WHERE id = 43; INSERT INTO extra VALUES (43, 'again', 43); COMMIT;
	BEGIN; INSERT INTO extra VALUES (300, 'in', 300, repeat('x', 5000)); UPDATE extra SET a = 'in, changed' WHERE id = 300; UPDATE extra SET id = 301 WHERE id = 300; COMMIT;
});
$t->wait_applied_ok('changes');
all_equal();
is(target("SELECT count(*) FROM extra WHERE id <= 100 AND id NOT IN (41, 42, 43) AND (mine <> ('mine ' || id) OR loaded <> id)"), 0, 'updated rows keep what they had');
is(target("SELECT count(*) FROM extra WHERE id BETWEEN 1011 AND 1020 AND mine = ('mine ' || id - 1000) AND loaded = id - 1000"), 10, 'under another key, too');
is(target('SELECT string_agg(mine, \', \' ORDER BY id) FROM extra WHERE id IN (41, 42)'), 'mine 42, mine 41', 'and in a swap');
is(target("SELECT count(*) FROM extra WHERE (id IN (43, 301) OR id BETWEEN 201 AND 210) AND mine = 'mine' AND loaded = 7"), 12, 'new rows have the defaults');

# ---- transactions of all kinds

sub change
{
	my ($name, $sql) = @_;
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	$t->equal_ok("public.$_", columns => $columns{$_}) for qw(shuffled extra_keyless);
}

change('savepoints', q{
	BEGIN; INSERT INTO shuffled VALUES (600, 'kept'); SAVEPOINT a; INSERT INTO shuffled VALUES (601, 'undone'); UPDATE shuffled SET a = 'undone' WHERE id = 600;
	ROLLBACK TO a; SAVEPOINT b; INSERT INTO shuffled VALUES (602, 'kept'); SAVEPOINT c; DELETE FROM shuffled WHERE id = 602; ROLLBACK TO c; RELEASE b; COMMIT;
	BEGIN; DELETE FROM shuffled; ROLLBACK;
	DO $$ BEGIN FOR i IN 700 .. 720 LOOP BEGIN INSERT INTO shuffled VALUES (i, 'loop'); IF i % 2 = 0 THEN RAISE EXCEPTION 'undo'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$;
});
change('ON CONFLICT', q{
	INSERT INTO shuffled VALUES (600, 'conflict', 1) ON CONFLICT (id) DO UPDATE SET a = excluded.a || ' ' || shuffled.a;
	INSERT INTO shuffled VALUES (600, 'ignored'), (800, 'not ignored') ON CONFLICT DO NOTHING;
	INSERT INTO shuffled SELECT i, 'upsert' FROM generate_series(-10, 110) i ON CONFLICT (id) DO UPDATE SET b = -1;
});
change('COPY', "COPY shuffled FROM STDIN;\n9001\tcopied\t1\t2024-01-01\n9002\t\\N\t\\N\t\\N\n9003\t\\\\N\t2\tinfinity\n\\.\n");
change('MERGE-like CTEs', q{
	WITH gone AS (DELETE FROM shuffled WHERE id > 9000 RETURNING *) INSERT INTO shuffled SELECT id + 1000, a, b, c FROM gone;
	WITH n AS (INSERT INTO shuffled VALUES (9500, 'n') RETURNING id) UPDATE shuffled SET a = 'cte' FROM n WHERE shuffled.id < n.id AND shuffled.id > 700;
});
change('a prepared transaction', q{
	BEGIN; INSERT INTO shuffled VALUES (5000, 'prepared'); UPDATE shuffled SET a = 'prepared' WHERE id = 600; PREPARE TRANSACTION 'one';
	BEGIN; INSERT INTO shuffled VALUES (5001, 'given up'); PREPARE TRANSACTION 'two';
	UPDATE shuffled SET b = 77 WHERE id = 602;
	COMMIT PREPARED 'one'; ROLLBACK PREPARED 'two';
});
change('TRUNCATE of several, RESTART IDENTITY, CASCADE', q{
	CREATE TABLE referring (id serial PRIMARY KEY, s int REFERENCES shuffled); DROP TABLE referring;
	BEGIN; INSERT INTO shuffled VALUES (1, 'gone') ON CONFLICT DO NOTHING; TRUNCATE shuffled, extra_keyless RESTART IDENTITY CASCADE; INSERT INTO shuffled VALUES (1, 'first'); INSERT INTO extra_keyless VALUES (1); COMMIT;
	BEGIN; TRUNCATE shuffled; ROLLBACK;
	INSERT INTO extra_keyless VALUES (2);
});
change('empty transactions and such without a change', q{
	BEGIN; COMMIT; UPDATE shuffled SET a = a WHERE id = -12345; UPDATE shuffled SET a = a; VACUUM FULL shuffled; CLUSTER shuffled USING shuffled_pkey;
	CREATE TEMP TABLE shuffled_temp (id int); INSERT INTO shuffled_temp VALUES (1); SELECT lo_unlink(lo_create(0)); ANALYZE;
});
is($t->stop, 0, 'it stops');
$t->run_ok('drop');

# ---- what a target cannot take

my $n = 0;

# One table, checked alone.
sub refused
{
	my ($source, $target, $pattern, $name) = @_;
	my $table = 'refused_' . ++$n;
	$t->source_sql("CREATE TABLE $table ($source)");
	target("CREATE TABLE $table ($target)") if $target;
	$t->configure({ schema => { create => JSON::PP::false, changes => 'stop' }, tables => { include => ["public.$table"] } });
	my $result = $t->fails_like([ 'run', '--until', 'current' ], 3, qr/public\.$table|check/, $name);
	like($result->{stderr}, $pattern, "$name: says what");
}
refused('id int PRIMARY KEY', undef, qr/does not exist, and schema\.create is off/, 'no target');
refused('id int PRIMARY KEY, a text, "B b" int', 'id int PRIMARY KEY', qr/lacks columns.*"a" text, ADD COLUMN "B b" integer/, 'missing columns');
refused('id int PRIMARY KEY', 'id int PRIMARY KEY, must int NOT NULL', qr/does not feed must/, 'a column that must not be null');
refused('id int PRIMARY KEY, a json', 'id int PRIMARY KEY, a point', qr/column "a" is point, at the source json/, 'types that do not convert');
SKIP: {
	skip 'no generated columns', 4 if $t->destination_is_greenplum6;
	refused(('a int, id int GENERATED ALWAYS AS (a * 2) STORED PRIMARY KEY') x 2, qr/"id" is generated/, 'a generated column that rows are found by');
	refused('id int PRIMARY KEY, a int', 'id int PRIMARY KEY, a int GENERATED ALWAYS AS (id * 2) STORED', qr/"a" is generated/, 'a generated column');
}

# ---- columns of the target's own, in a table whose rows have no key: what the refusal says to do works

{
	$t->source_sql(q{CREATE TABLE own_keyless (a int, b text); ALTER TABLE own_keyless REPLICA IDENTITY FULL; INSERT INTO own_keyless VALUES (1, 'x'), (2, 'y')});
	target(q{CREATE TABLE own_keyless (own text DEFAULT 'mine', a int, b text)});
	my $with = sub { return { tables => { include => ['public.own_keyless'], overrides => [ { source => 'public.own_keyless', @_ } ] } } };
	$t->configure($with->());
	$t->fails_like([ 'run', '--until', 'current' ], 3, qr/an update would lose the values of own, since public\.own_keyless has no key.*"key".*"operations"/, 'own columns without a key');
	$t->configure($with->(key => ['a']));
	$t->run_ok('run', '--until', 'current');
	target(q{UPDATE own_keyless SET own = 'kept' WHERE a = 1});
	$t->source_sql(q{UPDATE own_keyless SET b = 'z'; UPDATE own_keyless SET a = 3 WHERE a = 1; INSERT INTO own_keyless VALUES (4, 'new')});
	$t->run_ok('run', '--until', 'current');
	is(target(q{SELECT string_agg(own || a || b, ' ' ORDER BY a) FROM own_keyless}), 'mine2z kept3z mine4new', 'with a key the target\'s own values stay');
	$t->run_ok('drop');
	target('TRUNCATE own_keyless');
	$t->configure($with->(operations => [qw(insert delete truncate)]));
	$t->run_ok('run', '--until', 'current');
	$t->run_ok('drop');
}

# ---- values that do not fit stop the run, by name and place

$t->source_sql('CREATE TABLE narrow (id int PRIMARY KEY, v text); INSERT INTO narrow VALUES (1, \'fits\')');
target('CREATE TABLE narrow (id int PRIMARY KEY, v varchar(5))');
$t->configure({ tables => { include => ['public.narrow'] } });
$t->run_ok('run', '--until', 'current');
$t->source_sql("INSERT INTO narrow VALUES (2, 'fits'); INSERT INTO narrow VALUES (3, 'does not fit')");
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.narrow.*too long for type character varying\(5\)/, 'a value that does not fit');
target('ALTER TABLE narrow ALTER v TYPE text');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.narrow');
$t->run_ok('drop');

done_testing();
