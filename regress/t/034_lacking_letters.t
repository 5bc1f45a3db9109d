#!/usr/bin/perl
# Names, definitions and labels with letters that the destination's encoding lacks: the table concerned waits or is held,
# the others go on, and the state says so in these letters.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $server = $t->destination_conninfo;
my $name = "sluice_test_$$\_lacking";
SluiceTest::psql($server, "CREATE DATABASE $name ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
$t->{destination} = { %{ $t->{destination} }, conninfo => "$server dbname=$name" };

my ($there, $lacking) = ("\xc3\xa4", "\xe6\x97\xa5");

$t->source_sql(qq{
	CREATE TYPE mood AS ENUM ('a', '$there');
	CREATE TYPE pair AS (x int, "$there" int);
	CREATE TABLE "fine$there" (id int PRIMARY KEY, "v$there" text DEFAULT '$there', m mood, p pair);
	CREATE TABLE added (id int PRIMARY KEY, v text);
	CREATE TABLE renamed (id int PRIMARY KEY, v text);
	CREATE TABLE default_set (id int PRIMARY KEY, v text);
	CREATE TABLE default_added (id int PRIMARY KEY, v text);
	CREATE TABLE column_renamed (id int PRIMARY KEY, v text);
	CREATE TABLE keyed (k text PRIMARY KEY, v text);
	CREATE TYPE mood2 AS ENUM ('a'); CREATE TABLE moody (id int PRIMARY KEY, m mood2);
	CREATE TYPE pair2 AS (x int); CREATE TABLE paired (id int PRIMARY KEY, p pair2);
	CREATE TYPE pair3 AS (x int); CREATE TABLE tripled (id int PRIMARY KEY, p pair3);
	INSERT INTO "fine$there" VALUES (1, '$there', '$there', '(1,2)'); INSERT INTO added VALUES (1, 'x'); INSERT INTO default_added VALUES (1, 'x'); INSERT INTO renamed VALUES (1, 'x')});
$t->configure({ apply => { refused => 'hold' }, schema => { indexes => 'all' }, wal => { heartbeat => '200ms' } });
$t->run_ok('run', '--until', 'current');
$t->equal_ok(qq{public."fine$there"});

my $n = 1;

# The statements are committed, and the others must go on: past them, and when the task starts again.
sub goes_on
{
	my ($what, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $said = '';
	$t->source_sql($sql) if $sql;
	for my $attempt ('in the stream', 'at the next start')
	{
		$n++;
		$t->source_sql(qq{INSERT INTO "fine$there" VALUES ($n, '$there', 'a', '(1,2)')});
		my $run = $t->sluice('run', '--until', 'current');
		is($t->destination_sql(qq{SELECT count(*) FROM "fine$there" WHERE id = $n}), 1, "$what, $attempt: the others go on")
		  or diag($run->{stderr});
		$said .= $run->{stderr};
	}
	return $said;
}

# How the tables stand whose names match, as "name state: error".
sub stands
{
	my ($table) = @_;
	my @found = map { my $text = "$_->{source} $_->{state}: " . ($_->{error} // ''); utf8::encode($text) if utf8::is_utf8($text); $text }
	  grep { my $source = $_->{source}; utf8::encode($source) if utf8::is_utf8($source); $source =~ $table } @{ $t->status->{tables} };
	return join "\n", @found;
}

my $no_equivalent = qr/no equivalent in encoding "LATIN1"/;
my $remedy = qr/$no_equivalent: give it a name in other letters at the source; then it is copied again by itself/;
my $waits = qr/waiting: names: the destination's encoding LATIN1.*lacks a letter/;

# Of tables that are replicated.
goes_on('a column is added', qq{ALTER TABLE added ADD "w$lacking" text; INSERT INTO added VALUES (2, 'x', 'y')});
like(stands(qr/\.added$/), qr/held: .*$remedy/, 'its table is held');
goes_on('a table is renamed', qq{ALTER TABLE renamed RENAME TO "r$lacking"; INSERT INTO "r$lacking" VALUES (2, 'x')});
like(stands(qr/\.renamed$|r$lacking/), qr/held: .*$remedy/, 'it is held');
goes_on('a column is renamed', qq{ALTER TABLE column_renamed RENAME v TO "v$lacking"; INSERT INTO column_renamed VALUES (2, 'x')});
like(stands(qr/column_renamed/), qr/held: .*$remedy/, 'its table is held');
goes_on('a default is set', qq{ALTER TABLE default_set ALTER v SET DEFAULT '$lacking'; INSERT INTO default_set VALUES (2, 'x')});
goes_on('a column with a default is added', qq{ALTER TABLE default_added ADD w text DEFAULT '$lacking'});
like(stands(qr/default_added/), qr/held: .*row with "id" = 1: .*column w: .*$no_equivalent/, 'the value that rows get is not lost');
goes_on('a row is refused', qq{INSERT INTO keyed VALUES ('$lacking', 'x')});
like(stands(qr/keyed/), qr/held: .*row with k = $lacking: .*$no_equivalent/, 'it is named with its letters');
goes_on('a label is added', qq{ALTER TYPE mood ADD VALUE '$lacking'; ALTER TYPE mood2 ADD VALUE '$lacking'});
goes_on('a value has it', qq{INSERT INTO moody VALUES (1, '$lacking')});
like(stands(qr/moody/), qr/held: .*row with id = 1: .*$no_equivalent/, 'its row is refused');
goes_on('an attribute is added', qq{ALTER TYPE pair2 ADD ATTRIBUTE "z$lacking" int});
goes_on('a type is renamed', qq{ALTER TYPE pair3 RENAME TO "p$lacking"; INSERT INTO tripled VALUES (1, '(1)')});
like(stands(qr/tripled/), qr/streaming: $/, 'its table goes on');

# Of tables that are new.
goes_on('a new table', qq{CREATE TABLE "n$lacking" (id int PRIMARY KEY)});
like(stands(qr/n$lacking/), $waits, 'it waits');
goes_on('a new table with a column', qq{CREATE TABLE new_column (id int PRIMARY KEY, "c$lacking" int)});
like(stands(qr/new_column/), $waits, 'it waits');
my $said = goes_on('new tables with less', qq{
	CREATE TABLE new_default (id int PRIMARY KEY, d text DEFAULT '$lacking', k text DEFAULT '$there');
	CREATE TYPE mood3 AS ENUM ('a', '$lacking'); CREATE TABLE new_label (id int PRIMARY KEY, m mood3); INSERT INTO new_label VALUES (1, 'a');
	CREATE TYPE "t$lacking" AS ENUM ('a'); CREATE TABLE new_type (id int PRIMARY KEY, m "t$lacking"); INSERT INTO new_type VALUES (1, 'a');
	CREATE TABLE new_comment (id int PRIMARY KEY); COMMENT ON TABLE new_comment IS '$lacking'; COMMENT ON COLUMN new_comment.id IS '$there';
	CREATE TABLE new_index (id int PRIMARY KEY, v text); CREATE INDEX "i$lacking" ON new_index (v);
	CREATE INDEX new_v ON new_index (v) WHERE v <> '$lacking'; CREATE INDEX "new_i$there" ON new_index (v); COMMENT ON INDEX "new_i$there" IS '$lacking';
	CREATE TABLE new_parts (id int, v text, PRIMARY KEY (id, v)) PARTITION BY LIST (v);
	CREATE TABLE "part$lacking" PARTITION OF new_parts FOR VALUES IN ('$lacking'); CREATE TABLE new_rest PARTITION OF new_parts DEFAULT;
	INSERT INTO new_parts VALUES (1, '$there')});
like(stands(qr/new_$_/), qr/streaming: $/, "it is made: new_$_") for qw(default label type comment index parts);
is($t->destination_sql(q{SELECT string_agg(i.relname, ' ') FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = 'new_index'::regclass AND NOT x.indisprimary}),
	"new_i$there", 'an index whose name or condition has them is left out');
like($said, qr/new_$_: it is made without the comments/, "and the log says that comments are: $_") for qw(comment index);
is($t->destination_sql(q{SELECT coalesce(obj_description('new_comment'::regclass), 'none') || ' ' || col_description('new_comment'::regclass, 1)}),
	"none $there", 'and a comment');
is($t->destination_sql("INSERT INTO new_default (id) VALUES (-1); SELECT coalesce(d, 'none') || ' ' || k FROM new_default WHERE id = -1"), "none $there", 'and a default');
$t->destination_sql('DELETE FROM new_default');
is($t->destination_sql(q{SELECT relkind FROM pg_class WHERE oid = 'new_parts'::regclass}), 'r', 'partitions make one table');
$t->all_equal_ok(map { "public.new_$_" } qw(label type parts));

# Indexes that are made later.
$t->source_sql(qq{CREATE INDEX "i2$lacking" ON default_set (id); CREATE INDEX later ON default_set (v); COMMENT ON INDEX later IS '$lacking'; CREATE INDEX later_where ON default_set (v) WHERE v <> '$lacking'});
$t->start;
$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM pg_class WHERE relname = 'later'}) eq '1' }, 'an index is made');
$t->source_sql('CREATE INDEX last ON default_set (id, v)');
$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM pg_class WHERE relname = 'last'}) eq '1' }, 'and those after it');
is($t->stop, 0, 'the daemon did not mind');
unlike($t->log, qr/ error /, 'nor said so');

# The remedies, and the table verbs.
$t->run_ok('table', 'remove', "public.\"n$lacking\"");
$t->run_ok('table', 'add', "public.\"n$lacking\"");
$t->source_sql(qq{ALTER TABLE added RENAME "w$lacking" TO w; ALTER TABLE "r$lacking" RENAME TO renamed; ALTER TABLE column_renamed RENAME "v$lacking" TO w;
	ALTER TABLE "n$lacking" RENAME TO new_name; ALTER TABLE new_column RENAME "c$lacking" TO c; DELETE FROM keyed; DELETE FROM moody; UPDATE default_added SET w = 'x'});
$t->run_ok('table', 'resync', "public.$_") for qw(keyed moody default_added);
goes_on('the source has other letters');
$t->run_ok('run', '--until', 'current');
like(stands(qr/\.$_$/), qr/streaming: $/, "$_ is replicated") for qw(added renamed column_renamed keyed moody default_added new_name new_column);
$t->all_equal_ok(map { "public.$_" } qw(added renamed column_renamed keyed moody default_added new_name new_column));
like($t->run_ok('compare')->{stdout}, qr/, 0 different, 0 not compared/, 'compare says so');
done_testing();

END { SluiceTest::psql_try($server, "DROP DATABASE $name") if $name }
