#!/usr/bin/perl
# Keys of many types: values that are equal and not the same bytes, values
# that no array literal takes as they are, keys of several columns.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $has_icu = $t->source_sql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'") > 0;

# By name: the type, keys that stay, and [old, new] for keys that change.
my %keys = (
	text => [ 'text', [ "''", "' '", q{'a"b'}, q{E'\\\\'}, q{E'\\n\\t\\r'}, "'NULL'", "'{}'", q{'\\.'}, "'ä'" ],
		[ "'x'", "'X'" ], [ "'e'", "'é'" ] ],
	varchar => [ 'varchar(10)', [ "''", "'abc'" ], [ "'x'", "'y'" ] ],
	characters => [ 'char(5)', [ "''", "'ab'", "'abcde'" ], [ "'x'", "' x'" ] ],
	single => [ '"char"', [ "'a'", q{'\\'} ], [ "'x'", "'y'" ] ],
	name => [ 'name', [ "'a'", "repeat('n', 63)" ], [ "'x'", "'y'" ] ],
	bytes => [ 'bytea', [ q{'\\x'}, q{'\\x00'}, q{'\\x5c27220a'} ], [ q{'\\x01'}, q{'\\x0100'} ] ],
	uuid => [ 'uuid', [ "'00000000-0000-0000-0000-000000000000'" ],
		[ "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'" ] ],
	bool => [ 'bool', [ 'true' ], [ ] ],
	int2 => [ 'int2', [ '-1', '0' ], [ '5', '6' ] ],
	numeric => [ 'numeric', [ '0', '-1.5', "'NaN'", "'1e50'" ], [ '1.0', '1.00' ], [ '2', '2.5' ], [ '1e5', '100000.000' ] ],
	float8 => [ 'float8', [ "'NaN'", "'Infinity'", "'-Infinity'", '0.1' ], [ "'0'", "'-0'" ] ],
	float4 => [ 'float4', [ "'NaN'", '1.1' ], [ "'-0'", "'0'" ] ],
	money => [ 'money', [ "'1'" ], [ "'2'", "'2.01'" ] ],
	date => [ 'date', [ "'infinity'", "'4713-01-01 BC'" ], [ "'-infinity'", "'2000-01-01'" ] ],
	time => [ 'time', [ "'24:00'" ], [ "'00:00'", "'00:00:01'" ] ],
	timetz => [ 'timetz', [ "'12:00+00'" ], [ "'10:00+00'", "'10:00+01'" ] ],
	timestamp => [ 'timestamp', [ "'infinity'" ], [ "'-infinity'", "'2000-01-01'" ] ],
	timestamptz => [ 'timestamptz', [ "'infinity'", "'2000-01-01 00:00+00'" ], [ "'2000-01-01 00:00+05'", "'4000-01-01 BC'" ] ],
	interval => [ 'interval', [ "'1 mon'", "'-1 day'" ], [ "'1 day'", "'24:00'" ] ],
	inet => [ 'inet', [ "'::1'" ], [ "'10.0.0.1/8'", "'10.0.0.1'" ] ],
	mac => [ 'macaddr', [ "'08:00:2b:01:02:03'" ], [ "'08:00:2b:01:02:04'", "'08:00:2b:01:02:05'" ] ],
	bits => [ 'varbit', [ "''", "'0'", "'00'" ], [ "'1'", "'10'" ] ],
	lsn => [ 'pg_lsn', [ "'0/0'" ], [ "'1/1'", "'1/2'" ] ],
	oid => [ 'oid', [ '0', '4294967295' ], [ '1', '2' ] ],
	arrays => [ 'int[]', [ "'{}'", "'{1,NULL}'" ], [ "'{1}'", "'[0:0]={1}'" ] ],
	texts => [ 'text[]', [ "'{}'", q{'{NULL,"NULL","a b"}'} ], [ "'{x}'", "'{y}'" ] ],
	range => [ 'int4range', [ "'empty'", "'[1,2)'" ], [ "'[5,6)'", "'[5,7)'" ] ],
	jsonb => [ 'jsonb', [ q{'{"a": 1}'}, "'[]'" ], [ "'1.0'", "'1.00'" ] ],
	tsvector => [ 'tsvector', [ "''", "'a'" ], [ "'a:1'", "'a:1A'" ] ],
	bit => [ 'bit(3)', [ "B'000'" ], [ "B'101'", "B'111'" ] ],
	cidr => [ 'cidr', [ "'10.0.0.0/8'" ], [ "'10.0.0.0/9'", "'::/0'" ] ],
	mac8 => [ 'macaddr8', [ "'08:00:2b:01:02:03:04:05'" ], [ "'08:00:2b:01:02:03:04:06'", "'08:00:2b:01:02:03:04:07'" ] ],
	xid8 => [ 'xid8', [ "'0'" ], [ "'1'", "'18446744073709551615'" ] ],
	tsquery => [ 'tsquery', [ "''", "'a'" ], [ "'b'", "'b & !c'" ] ],
	multirange => [ 'nummultirange', [ "'{}'" ], [ "'{[1.0,2.00)}'", "'{[1,2)}'" ] ],
	spans => [ 'spans', [ "'empty'" ], [ "'[1.0,2)'", "'[1,2.00)'" ] ],
	moods => [ 'mood[]', [ "'{}'", "'{sad,NULL}'" ], [ "'{sad}'", "'{ok}'" ] ],
	deeper => [ 'deeper', [ '1' ], [ '2.0', '2.00' ] ],
	domained => [ 'mail', [ "'MiXed'" ], [ "'abc'", "'ABC'" ] ],
	mood => [ 'mood', [ "'sad'" ], [ "'ok'", q{'so "so"'} ] ],
	small => [ 'small', [ '1' ], [ '2', '3' ] ],
	pair => [ 'pair', [ "ROW(1, 'a')", "ROW(NULL, '')" ], [ "ROW(2, 'x')", "ROW(2, 'y')" ] ],
	citext => [ 'citext', [ "'MiXed'", "''" ], [ "'abc'", "'ABC'" ] ],
	ltree => [ 'ltree', [ "'Top'", "''" ], [ "'a.b'", "'a.B'" ] ],
	hstore => [ 'hstore', [ "'a=>1'", "''" ], [ "'b=>2'", "'b=>NULL'" ] ],
	cube => [ 'cube', [ "'(1,2)'" ], [ "'(1),(2)'", "'(1),(3)'" ] ],
	large => [ 'text', [ "repeat('y', 50000)" ], [ "repeat('x', 100000)", "repeat('x', 100001)" ] ],
);
delete $keys{multirange} if $t->source_sql('SHOW server_version_num') < 140000;
$keys{collated} = [ 'text COLLATE blind', [ "'MiXed'" ], [ "'abc'", "'ABC'" ], [ "'x'", "'y'" ] ] if $has_icu;

for my $sql ('CREATE TYPE spans AS RANGE (SUBTYPE = numeric)', 'CREATE DOMAIN price AS numeric', 'CREATE DOMAIN deeper AS price CHECK (VALUE > 0)', "CREATE TYPE mood AS ENUM ('sad', 'ok', 'so \"so\"')", 'CREATE DOMAIN small AS int', 'CREATE TYPE pair AS (a int, b text)',
	(map { "CREATE EXTENSION $_" } qw(citext ltree hstore cube)), 'CREATE DOMAIN mail AS citext')
{
	$t->source_sql($sql);
	my ($failed, undef, $message) = SluiceTest::psql_try($t->destination_conninfo, $sql);
	note("the destination has no such type: $message") if $failed;
}
$t->source_sql("CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)") if $has_icu;

my (@tables, @setup, @changes, @more, @last);
for my $name (sort keys %keys)
{
	my ($type, $stay, @move) = @{ $keys{$name} };
	my ($bare) = split / COLLATE /, $type;
	@move = grep { @$_ } @move;
	my @rows = map { ("($_, 'first', repeat('t', 10))") } @$stay, map { $_->[0] } @move;
	push @tables, "public.k_$name";
	push @setup, "CREATE TABLE k_$name (k $type PRIMARY KEY, v text, o text); ALTER TABLE k_$name ALTER o SET STORAGE EXTERNAL;
		INSERT INTO k_$name VALUES " . join ', ', @rows;
	push @changes, "UPDATE k_$name SET v = 'second'", map { ("UPDATE k_$name SET k = $_->[1] WHERE k = ($_->[0])::$bare") } @move;
	push @more, "UPDATE k_$name SET o = string_agg FROM (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i) x",
		map { ("UPDATE k_$name SET k = $_->[0] WHERE k = ($_->[1])::$bare") } @move;
	push @last,
		# Forth and back, out and in again, under one spelling and another.
		(map { ("UPDATE k_$name SET k = $_->[1], v = 'third' WHERE k = ($_->[0])::$bare",
			"UPDATE k_$name SET k = $_->[0] WHERE k = ($_->[1])::$bare",
			"UPDATE k_$name SET k = $_->[1] WHERE k = ($_->[0])::$bare",
			"DELETE FROM k_$name WHERE k = ($_->[1])::$bare", "INSERT INTO k_$name VALUES ($_->[0], 'again', NULL)") } @move),
		"DELETE FROM k_$name WHERE k = ($stay->[0])::$bare";
}

# Keys of several columns, whose bytes in a row are the same for different keys.
push @tables, qw(public.composite public.reversed public.many);
push @setup, "CREATE TABLE composite (a text, b text, c int, v int, PRIMARY KEY (a, b, c));
	INSERT INTO composite VALUES ('ab', 'c', 1, 1), ('a', 'bc', 1, 2), ('abc', '', 1, 3), ('', 'abc', 1, 4), ('', '', -1, 5);
	CREATE TABLE reversed (x int, v text, b numeric, a text, PRIMARY KEY (a, b));
	INSERT INTO reversed SELECT i, 'v', i, 'a' || i % 3 FROM generate_series(1, 100) i;
	CREATE TABLE many (a text, b numeric, v int, PRIMARY KEY (a, b));
	INSERT INTO many SELECT 'key ' || i, i / 10.0, i FROM generate_series(1, 5000) i";
push @changes, "UPDATE composite SET v = v + 10; UPDATE composite SET b = 'bcd' WHERE a = 'a'",
	"UPDATE reversed SET b = -b WHERE x % 2 = 0; DELETE FROM reversed WHERE x % 3 = 0; UPDATE reversed SET v = 'w' WHERE x % 5 = 0",
	"UPDATE many SET v = -v; UPDATE many SET b = -b WHERE v % 2 = 0; DELETE FROM many WHERE v % 3 = 0";
push @more, "DELETE FROM composite WHERE a IN ('ab', 'abc'); UPDATE composite SET a = b, b = a", "UPDATE many SET b = b::numeric(20,5)";
push @last, "DELETE FROM composite", "DELETE FROM reversed WHERE x < 50", "DELETE FROM many WHERE v < -2500";

$t->source_sql(join ";\n", @setup);
$t->configure;
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);

# All in one batch, and in small ones.
$t->start;
for my $step ([ 'one transaction of key changes', 'BEGIN', @changes, 'COMMIT' ], [ 'key changes back, TOASTed values kept', @more ],
	[ 'forth and back in one transaction', 'BEGIN', @last, 'COMMIT' ])
{
	my ($name, @statements) = @$step;
	$t->source_sql(join ";\n", @statements);
	$t->wait_applied_ok($name);
	$t->all_equal_ok(@tables);
}
$t->run_ok('compare');
is($t->stop, 0, 'it stops');

done_testing();
