#!/usr/bin/perl
# The targets that run makes, and what becomes of them: what is created, what
# is found there already, which tables belong to the task from when on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;

sub target { return $t->destination_sql($_[0]); }

# "name type[ not null]" of a target's columns.
sub columns_of
{
	my ($table) = @_;
	return target("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' not null' ELSE '' END, ', ' ORDER BY attnum)
		FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped");
}

sub key_of
{
	my ($table) = @_;
	return target("SELECT coalesce(string_agg(pg_get_indexdef(indexrelid), '; ' ORDER BY indisprimary DESC, 1), 'none') FROM pg_index WHERE indrelid = '$table'::regclass")
	  =~ s/CREATE (UNIQUE )?INDEX \S+ ON \S+ USING btree /$1 \/\/ ''/ger =~ s/\bUNIQUE\s*/unique /gr;
}

# ---- what is made

$t->source_sql(q{
	CREATE SCHEMA deep;
	CREATE TYPE deep.mood AS ENUM ('sad', 'ok');
	CREATE TABLE deep.made (b numeric(10,2) NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, a varchar(20) DEFAULT 'x', s serial,
		twice numeric GENERATED ALWAYS AS (b * 2) STORED, mood deep.mood, tags text[], at timestamptz(3), gone int, PRIMARY KEY (id, b));
	ALTER TABLE deep.made DROP COLUMN gone;
	CREATE TABLE deep.by_index (id int PRIMARY KEY, k int NOT NULL, v text, UNIQUE (v));
	CREATE UNIQUE INDEX by_k ON deep.by_index (k); ALTER TABLE deep.by_index REPLICA IDENTITY USING INDEX by_k;
	CREATE TABLE deep.keyless (a int, b text); ALTER TABLE deep.keyless REPLICA IDENTITY FULL;
	CREATE TABLE deep.found (same int, wide text, at timestamptz, a int, n numeric); ALTER TABLE deep.found REPLICA IDENTITY FULL;
	INSERT INTO deep.found SELECT 1, 'w' || i, now() + i * interval '1 s', CASE WHEN i % 10 = 0 THEN i / 1000 ELSE i END, nullif(i % 7, 0) FROM generate_series(1, 20000) i;
	CREATE TABLE deep.only_inserted (LIKE deep.found); INSERT INTO deep.only_inserted SELECT * FROM deep.found;
	ANALYZE deep.found; ANALYZE deep.only_inserted;
	CREATE TABLE deep.no_columns (); ALTER TABLE deep.no_columns REPLICA IDENTITY FULL;
	CREATE UNLOGGED TABLE deep.unlogged (id int PRIMARY KEY);
	CREATE VIEW deep.view AS SELECT 1 AS id;
	CREATE MATERIALIZED VIEW deep.materialized AS SELECT 1 AS id;
	INSERT INTO deep.made (b) SELECT i / 3.0 FROM generate_series(1, 100) i;
	INSERT INTO deep.by_index SELECT i, -i, 'v' || i FROM generate_series(1, 100) i;
	INSERT INTO deep.keyless SELECT i % 3, 'x' FROM generate_series(1, 100) i;
	INSERT INTO deep.no_columns SELECT FROM generate_series(1, 5);
});
my @tables = qw(deep.made deep.by_index deep.keyless deep.found deep.only_inserted);
$t->configure({ tables => { include => ['deep.*'], exclude => [ 'deep.unlogged', 'deep.no_columns' ],
	overrides => [ { source => 'deep.by_index', storage => $greenplum ? 'heap' : 'default', fillfactor => 70 },
		{ source => 'deep.only_inserted', operations => ['insert'] } ] } });
my $ddl = $t->run_ok('schema')->{stdout};
like($ddl, qr/^CREATE INDEX "found_sluice_idx" ON "deep"\."found" \("a"\);$/m, 'without a key, an index on the column that tells rows apart best');
unlike($ddl, qr/INDEX.*only_inserted/, 'but not where rows are only inserted');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
is($t->run_ok('schema')->{stdout}, '', 'then schema has nothing left to print');
like(columns_of('deep.made'), qr/^b numeric\(10,2\) not null, id bigint not null, a character varying\(20\), s integer not null, twice numeric, mood deep\.mood, tags text\[\], at timestamp\(3\) with time zone$/, 'columns as at the source');
like(key_of('deep.made'), qr/^unique \(id, b\)$/, 'its primary key');
like(key_of('deep.by_index'), $greenplum ? qr/\(k\)/ : qr/unique \(id\); unique \(k\); unique \(v\)/, 'and an index on the match key');
is(key_of('deep.keyless'), 'none', 'or none');
like(key_of('deep.found'), qr/^ *\(a\)$/, 'or what finds rows');
sub fillfactor_of { my ($table) = @_; return target("SELECT coalesce((SELECT option FROM unnest(reloptions) option WHERE option LIKE 'fillfactor=%'), 'none') FROM pg_class WHERE oid = '$table'::regclass"); }
is(fillfactor_of('deep.by_index'), 'fillfactor=70', 'the fillfactor of the configuration');
is(fillfactor_of('deep.made'), $greenplum ? 'none' : 'fillfactor=90', 'room for updates');
is(fillfactor_of('deep.keyless'), 'none', 'but none where no row is updated in place');
is(target("SELECT string_agg(relname::text, ' ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'deep' AND relkind <> 'i'"),
	'by_index found keyless made only_inserted', 'tables and nothing else');
$t->all_equal_ok(@tables);

$t->start;
$t->source_sql(q{
	INSERT INTO deep.made (b) VALUES (7); UPDATE deep.made SET b = b + 1, a = NULL WHERE id % 2 = 0; DELETE FROM deep.made WHERE id = 3;
	UPDATE deep.made SET mood = 'ok', tags = '{a,NULL}' WHERE id % 5 = 0;
	UPDATE deep.by_index SET v = 'w' || id, k = k - 1000 WHERE id % 2 = 0; UPDATE deep.by_index SET id = id + 1000 WHERE id % 3 = 0; DELETE FROM deep.by_index WHERE id = 5;
	DELETE FROM deep.keyless WHERE ctid IN (SELECT ctid FROM deep.keyless WHERE a = 1 LIMIT 10);
	INSERT INTO deep.found SELECT * FROM deep.found WHERE a = 5; DELETE FROM deep.found WHERE ctid IN (SELECT ctid FROM deep.found WHERE a = 5 LIMIT 30);
	UPDATE deep.found SET n = coalesce(n, 0) + 1 WHERE a % 100 = 7; DELETE FROM deep.found WHERE a BETWEEN 300 AND 350;
});
$t->wait_applied_ok('generated columns, identity columns, serials');
$t->all_equal_ok(@tables);

# ---- an index that finds rows goes with the type that it was made for

$t->source_sql('ALTER TABLE deep.found ALTER a TYPE bigint');
$t->poll_ok(sub { columns_of('deep.found') =~ /\ba bigint/ }, 'a type as short');
like(key_of('deep.found'), qr/^ *\(a\)$/, 'leaves the index');
$t->source_sql(q{ALTER TABLE deep.found ALTER a TYPE text;
	INSERT INTO deep.found (same, a) SELECT 2, string_agg(md5(i::text), '') FROM generate_series(1, 500) i});
$t->poll_ok(sub { columns_of('deep.found') =~ /\ba text/ }, 'one whose values an index may refuse');
$t->wait_applied_ok('with such a value');
$t->poll_ok(sub { $t->destination_sql(q{SELECT state FROM sluice.tables WHERE source_name = 'found'}) eq 'streaming' }, 'is copied again');
is(key_of('deep.found'), 'none', 'takes it away');
$t->all_equal_ok('deep.found');

# ---- a table that comes while the stream runs is copied and followed

$t->source_sql(q{CREATE TABLE deep.newcomer (id int PRIMARY KEY, v text); INSERT INTO deep.newcomer SELECT i, 'v' FROM generate_series(1, 1000) i});
$t->poll_ok(sub { my ($failed, $count) = SluiceTest::psql_try($t->destination_conninfo, 'SELECT count(*) FROM deep.newcomer'); !$failed && $count == 1000 },
	'a new table is copied while the stream runs');
$t->source_sql(q{UPDATE deep.newcomer SET v = 'w' WHERE id < 100; DELETE FROM deep.newcomer WHERE id > 900; INSERT INTO deep.keyless VALUES (99, 'later')});
$t->wait_applied_ok('and followed');
$t->all_equal_ok(@tables, 'deep.newcomer');
$t->source_sql(q{BEGIN; CREATE TABLE deep.second (id int PRIMARY KEY); INSERT INTO deep.second VALUES (1); INSERT INTO deep.keyless VALUES (100, 'same transaction'); COMMIT});
$t->wait_applied_ok('another, whose first rows came with it');
$t->poll_ok(sub { my ($failed, $count) = SluiceTest::psql_try($t->destination_conninfo, 'SELECT count(*) FROM deep.second'); !$failed && $count == 1 },
	'it is copied beside the stream');
$t->all_equal_ok(@tables, 'deep.newcomer', 'deep.second');
is($t->stop, 0, 'it stops');

$t->source_sql(q{CREATE TABLE deep.third (id int PRIMARY KEY, v text); INSERT INTO deep.third VALUES (1, 'while it was down'), (2, 'x'); UPDATE deep.third SET v = 'y' WHERE id = 2});
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables, 'deep.newcomer', 'deep.second', 'deep.third');

# ---- one that goes

$t->start;
$t->wait_applied_ok('running again');
$t->source_sql(q{UPDATE deep.second SET id = 2; BEGIN; INSERT INTO deep.second VALUES (3); DROP TABLE deep.second; INSERT INTO deep.keyless VALUES (101, 'dropped'); COMMIT; INSERT INTO deep.keyless VALUES (102, 'after')});
$t->wait_applied_ok('a dropped table does not hold the others up');
$t->all_equal_ok(@tables);
cmp_ok(target('SELECT count(*) FROM deep.second'), '>=', 1, 'its target stays with rows of before');
is($t->stop, 0, 'it stops');
$t->run_ok('run', '--until', 'current');
is(target("SELECT string_agg(state, ' ') FROM sluice.tables WHERE source_name = 'second'"), 'dropped', 'the task knows that it is gone');
is(scalar(grep { $_->{source} eq 'deep.second' } @{ $t->status->{tables} }), 0, 'and shows it no more');
cmp_ok(target('SELECT count(*) FROM deep.second'), '>=', 1, 'its target stays');
$t->run_ok('drop');

# ---- rows that are there already

my $existing = { tables => { include => [ 'deep.by_index', 'deep.keyless' ] } };
$t->configure($existing);
$t->fails_like([ 'run', '--until', 'current' ], 3, qr/deep\.by_index|checks? failed/, 'a target with rows in it');
is($t->source_sql("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'sluice_test'"), 0, 'nothing was touched');
$t->configure({ %$existing, initial_copy => { existing => 'clear' } });
target('UPDATE deep.by_index SET v = NULL');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('deep.by_index', 'deep.keyless');
$t->source_sql('INSERT INTO deep.keyless VALUES (5, NULL)');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('deep.by_index', 'deep.keyless');
$t->run_ok('drop');

# ---- no copy

target('DELETE FROM deep.keyless');
$t->configure({ tables => { include => [ 'deep.keyless' ] }, initial_copy => { mode => 'none' } });
$t->run_ok('run', '--until', 'current');
is(target('SELECT count(*) FROM deep.keyless'), 0, 'mode none copies nothing');
$t->source_sql("INSERT INTO deep.keyless VALUES (1000, 'from here on')");
$t->run_ok('run', '--until', 'current');
is(target('SELECT a, b FROM deep.keyless'), '1000|from here on', 'and follows from there');
$t->run_ok('drop');

# ---- some operations

target('DELETE FROM deep.by_index');
my %left = (
	'insert update' => "1|5|new\n2|6|b\n3|70|c\n4|8|d",
	'insert delete' => "1|5|a\n3|7|c\n4|8|d",
	'update delete truncate' => '',
);
for my $name (sort keys %left)
{
	my $operations = [ split / /, $name ];
	$t->source_sql("TRUNCATE deep.by_index; INSERT INTO deep.by_index VALUES (1, 5, 'a'), (2, 6, 'b'), (3, 7, 'c')");
	$t->configure({ tables => { include => ['deep.by_index'] }, operations => $operations, initial_copy => { existing => 'clear' } });
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok('deep.by_index');
	$t->source_sql("INSERT INTO deep.by_index VALUES (4, 8, 'd'); UPDATE deep.by_index SET v = 'new' WHERE id = 1; DELETE FROM deep.by_index WHERE id = 2; UPDATE deep.by_index SET k = 70 WHERE id = 3");
	$t->source_sql('TRUNCATE deep.by_index') if @$operations == 3;
	$t->run_ok('run', '--until', 'current');
	is(target('SELECT id, k, v FROM deep.by_index ORDER BY id'), $left{$name}, "only $name");
	$t->run_ok('drop');
}

done_testing();
