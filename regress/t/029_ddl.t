#!/usr/bin/perl
# Definitions that change at the source: the target follows at the place in the
# stream where it happened; what the stream does not show is copied again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

sub target { return $t->destination_sql($_[0]); }

# Column names, types and NOT NULL, in the order of the names.
sub columns_of
{
	my ($sql, $table) = @_;
	return $sql->(qq{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attname)
		FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped});
}

sub same_columns_ok
{
	my ($table, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(columns_of(\&target, $table), columns_of(sub { $t->source_sql(@_) }, $table), "$name: the target's columns are the source's");
}

sub copies { my $log = $t->log; return scalar(() = $log =~ /copied public\.\w+: /g); }

my @names = qw(added dropped renamed retyped nulls swapped moved rewritten steady downtime keyed);
$t->source_sql(join ";\n", map { "CREATE TABLE $_ (id int PRIMARY KEY, a text, b int, at timestamp);
	INSERT INTO $_ SELECT i, 'a' || i, i, '2024-01-01' FROM generate_series(1, 20) i" } @names);
$t->source_sql("ALTER TABLE moved ADD v varchar(10), ADD n numeric(5,2); UPDATE moved SET v = a, n = id");
my %table = map { $_ => "public.$_" } @names;
$t->configure({ tables => { include => [ "public.*", "other.*" ] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(values %table);
$t->start;
$t->wait_applied_ok('the program runs');

# The source changes while the program runs; the target follows, without a copy.
sub follows
{
	my ($name, $table, $sql, %options) = @_;
	my $before = copies();
	$t->source_sql("INSERT INTO steady SELECT max(id) + 1 FROM steady; $sql; INSERT INTO steady SELECT max(id) + 1 FROM steady");
	$t->wait_applied_ok("$name: followed") or BAIL_OUT("$name is not followed");
	if ($options{copied})
	{
		$t->poll_ok(sub { copies() > $before }, "$name: copied again");
		$t->wait_applied_ok("$name: goes on");
	}
	else
	{
		is(copies(), $before, "$name: without a copy");
	}
	same_columns_ok($table, $name);
	$t->all_equal_ok($table, 'public.steady');
}

follows('ADD COLUMN', 'public.added', q{
	UPDATE added SET b = -b; ALTER TABLE added ADD COLUMN "more Data" numeric(5,1), ADD COLUMN c int DEFAULT 7, ADD COLUMN d text NOT NULL DEFAULT 'it''s';
	INSERT INTO added VALUES (100, 'x', 1, NULL, 2.5, 3); UPDATE added SET c = 8 WHERE id = 2});
follows('ADD COLUMN without any row', 'public.added', q{ALTER TABLE added ADD COLUMN e timestamptz DEFAULT '2020-02-02 UTC', ADD f int[] DEFAULT '{1,2}'});
follows('ADD COLUMN within a transaction', 'public.added', q{
	BEGIN; INSERT INTO added (id, a) VALUES (200, 'before'); ALTER TABLE added ADD COLUMN g text; INSERT INTO added (id, g) VALUES (201, 'after'); UPDATE added SET g = 'both' WHERE id = 200;
	ALTER TABLE added DROP COLUMN f; ALTER TABLE added ADD COLUMN h int DEFAULT 5; DELETE FROM added WHERE id = 4; COMMIT});
follows('rolled back', 'public.added', q{
	BEGIN; ALTER TABLE added ADD COLUMN i text; INSERT INTO added (id, i) VALUES (301, 'after'); ROLLBACK; UPDATE added SET a = 'z' WHERE id = 3;
	BEGIN; SAVEPOINT s; ALTER TABLE added ADD COLUMN i text; INSERT INTO added (id, i) VALUES (301, 'after'); ROLLBACK TO s; INSERT INTO added (id) VALUES (302); COMMIT});
follows('DROP COLUMN', 'public.dropped', q{ALTER TABLE dropped DROP COLUMN b; UPDATE dropped SET a = 'x' WHERE id < 5; DELETE FROM dropped WHERE id = 7; INSERT INTO dropped VALUES (100, 'y')});
follows('DROP and ADD of the same name', 'public.dropped', q{UPDATE dropped SET at = now(); ALTER TABLE dropped DROP COLUMN at; ALTER TABLE dropped ADD COLUMN at timestamp; UPDATE dropped SET at = '2001-01-01' WHERE id > 5});
follows('RENAME COLUMN', 'public.renamed', q{
	UPDATE renamed SET b = -b; ALTER TABLE renamed RENAME b TO "B b"; UPDATE renamed SET "B b" = 5 WHERE id = 1; DELETE FROM renamed WHERE id = 2});
follows('RENAME of a key column', 'public.renamed', q{
	ALTER TABLE renamed RENAME id TO key; UPDATE renamed SET key = 500 WHERE key = 5; DELETE FROM renamed WHERE key = 6});
follows('names that are swapped', 'public.swapped', q{
	BEGIN; ALTER TABLE swapped RENAME a TO x; ALTER TABLE swapped RENAME b TO a; ALTER TABLE swapped RENAME x TO b; COMMIT; UPDATE swapped SET a = 77 WHERE id = 3; INSERT INTO swapped VALUES (50, 'text', 50)});
follows('another length', 'public.moved', q{UPDATE moved SET v = v || '!' WHERE id > 10; ALTER TABLE moved ALTER v TYPE varchar(100); UPDATE moved SET v = repeat(v, 9) WHERE id > 10; ALTER TABLE moved ALTER v TYPE text; UPDATE moved SET v = repeat(v, 100) WHERE id > 15});
follows('NOT NULL', 'public.nulls', q{ALTER TABLE nulls ALTER a SET NOT NULL; INSERT INTO nulls VALUES (30, 'x')});
follows('NULL again', 'public.nulls', q{ALTER TABLE nulls ALTER a DROP NOT NULL; INSERT INTO nulls VALUES (31, NULL)});
follows('what concerns no row', 'public.steady', q{
	CREATE INDEX ON steady (a); ALTER TABLE steady ALTER a SET DEFAULT 'd', ADD CHECK (id > 0), ALTER b SET STATISTICS 10; COMMENT ON TABLE steady IS 'x'; INSERT INTO steady (id) VALUES (5000); ANALYZE steady; TRUNCATE swapped});
follows('VACUUM FULL', 'public.steady', q{VACUUM FULL steady; UPDATE steady SET b = 1 WHERE id < 9});
follows('a new default after it', 'public.steady', q{ALTER TABLE steady ALTER b SET DEFAULT 4; UPDATE steady SET b = 2 WHERE id < 9});
follows('several tables in one transaction', 'public.nulls', q{
	BEGIN; INSERT INTO nulls VALUES (40, 'x'); ALTER TABLE moved ADD COLUMN c int; INSERT INTO moved VALUES (40, 'x', 1, NULL, 1); ALTER TABLE nulls ADD COLUMN c int DEFAULT 1; INSERT INTO nulls VALUES (41); INSERT INTO moved VALUES (41); COMMIT});

# Defaults, for those who write at the destination: also those of columns that came.
sub defaults_of
{
	my ($sql) = @_;
	return $sql->(q{SELECT string_agg(attname || ' ' || pg_get_expr(adbin, adrelid), ', ' ORDER BY attname) FROM pg_attrdef
		JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'added'::regclass AND attname <> 'refused'});
}
sub defaults_ok
{
	my ($name) = @_;
	is(defaults_of(\&target), defaults_of(sub { $t->source_sql(@_) }), "$name: the target's defaults are the source's");
}
defaults_ok('columns that came');
follows('defaults', 'public.added', q{
	ALTER TABLE added ALTER a SET DEFAULT 'it''s', ALTER c DROP DEFAULT, ALTER d SET DEFAULT upper('x'), ADD COLUMN refused int;
	CREATE FUNCTION lacking() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER TABLE added ALTER refused SET DEFAULT lacking()});
defaults_ok('followed');
like($t->log, qr/goes without the default public.lacking\(\) of the column refused of public\.added: /, 'what the destination refuses is said');
follows('another type with a default', 'public.added', q{ALTER TABLE added ALTER a TYPE varchar(1000)}, copied => 1);
defaults_ok('after another type');

# The key: rows are found by the new one from there on.
follows('another primary key', 'public.keyed', q{
	ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ALTER b SET NOT NULL, ADD PRIMARY KEY (id, b); INSERT INTO keyed VALUES (1, 'again', 100); UPDATE keyed SET a = 'x' WHERE b = 100; DELETE FROM keyed WHERE id = 2});
follows('another identity', 'public.keyed', q{
	ALTER TABLE keyed REPLICA IDENTITY FULL; UPDATE keyed SET a = 'y' WHERE b = 3; ALTER TABLE keyed DROP CONSTRAINT keyed_pkey; INSERT INTO keyed VALUES (3, 'y', 3); UPDATE keyed SET a = 'z' WHERE b = 3; DELETE FROM keyed WHERE id = 4});

# What the server does not decode.
# The target's own indexes on those columns stay; Greenplum alters no column that has one.
target('CREATE INDEX retyped_b ON retyped (b); CREATE UNIQUE INDEX retyped_id_at ON retyped (id, at)');
follows('a wider type', 'public.retyped', q{
	UPDATE retyped SET b = -b; ALTER TABLE retyped ALTER b TYPE bigint; UPDATE retyped SET b = 5000000000 WHERE id = 1; INSERT INTO retyped VALUES (100, NULL, 1)}, copied => 1);
follows('a key\'s type', 'public.retyped', q{ALTER TABLE retyped ALTER id TYPE bigint; INSERT INTO retyped VALUES (5000000000, 'big', 2)}, copied => 1);
follows('another type with USING', 'public.retyped', q{
	SET timezone = 'UTC'; UPDATE retyped SET at = '2024-05-05'; ALTER TABLE retyped ALTER at TYPE bigint USING extract(epoch FROM at)::bigint; INSERT INTO retyped VALUES (101, NULL, 1, 5)}, copied => 1);
is(target(q{SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'retyped' AND indexname <> 'retyped_pkey'}), 'retyped_b retyped_id_at', 'the indexes on columns with another type are there');
follows('the same type with USING', 'public.rewritten', q{ALTER TABLE rewritten ALTER b TYPE int USING b * 2}, copied => 1);
follows('a volatile default', 'public.rewritten', q{ALTER TABLE rewritten ADD COLUMN r float8 DEFAULT random()}, copied => 1);
follows('after it', 'public.rewritten', q{UPDATE rewritten SET b = 1 WHERE id < 5});

# Tables with other names.
$t->source_sql(q{ALTER TABLE moved RENAME TO "Other name"; INSERT INTO "Other name" VALUES (9999); CREATE SCHEMA other; ALTER TABLE nulls SET SCHEMA other; DELETE FROM other.nulls WHERE id < 10});
$t->wait_applied_ok('a table is renamed, another goes into another schema');
$t->equal_ok('other.nulls');
is(target(q{SELECT count(*) FROM pg_class WHERE relname = 'moved'}), 0, 'the target is renamed');
$t->equal_ok('public."Other name"');
is($t->stop, 0, 'the program ends when it is told to');

# While it is down definitions change, and rows before and after.
$t->source_sql(q{
	UPDATE downtime SET b = -b; ALTER TABLE downtime ADD COLUMN c int DEFAULT 3; UPDATE downtime SET c = id WHERE id < 9; INSERT INTO downtime (id) VALUES (100); ALTER TABLE downtime RENAME a TO aa; ALTER TABLE downtime DROP COLUMN at;
	ALTER TABLE added ALTER a DROP DEFAULT, ALTER c SET DEFAULT 12; UPDATE downtime SET aa = 'x' WHERE id = 100; ALTER TABLE downtime RENAME TO uptime; INSERT INTO uptime VALUES (101);
	UPDATE retyped SET b = 7; ALTER TABLE retyped ALTER b TYPE text; UPDATE retyped SET b = 'nine' WHERE id < 5});
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('public.uptime', 'public.retyped', 'public.rewritten', 'public.added', 'public.renamed', 'public."Other name"');
same_columns_ok('public.uptime', 'downtime');
defaults_ok('downtime');

done_testing();
