#!/usr/bin/perl
# Every built-in type, and the kinds of types that users make, copied and then
# changed: a table for each, so that a difference names its type.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my ($at_source, $at_destination) = map { SluiceTest::psql($_, 'SHOW server_version_num') } $t->source_conninfo, $t->destination_conninfo;

# ---- the values: SQL literals, whose type the table gives

my %values = (
	bool => [ "'t'", "'f'" ],
	int2 => [ '0', '-32768', '32767' ],
	int4 => [ '0', '-2147483648', '2147483647' ],
	int8 => [ '0', '-9223372036854775808', '9223372036854775807' ],
	numeric => [ "'NaN'", '0', '0.000', '-1.50', '1e100', "'1e-100'", '12345678901234567890.0123456789', '10000', '-0.0001',
		"repeat('9', 1000)::numeric" ],
	'numeric(12,2)' => [ "'NaN'", '0', '-9999999999.99', '1.5' ],
	float4 => [ "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", '1.1', "'1e-40'", "'3.4028235e38'" ],
	float8 => [ "'NaN'", "'Infinity'", "'-Infinity'", "'-0'", '0.1', "'5e-324'", "'1.7976931348623157e308'" ],
	money => [ "'0'", "'-92233720368547758.08'", "'92233720368547758.07'" ],
	text => [ "''", q{E'a\\tb\\nc\\rd\\r\\ne\\bf\\fg\\vh'}, q{'\\'}, q{'\\N'}, q{'\\.'}, q{E'x\\n\\\\.\\ny'}, q{'NULL'}, q{'"{},()'},
		q{E'\\u00e4\\u20ac\\U0001F600'}, "repeat('x', 1000000)", "repeat(md5('1'), 40000)", q{E' \\n'} ],
	varchar => [ "''", q{E'\\\\N'}, "'ä'" ],
	'varchar(5)' => [ "''", "'äöüß€'" ],
	'char(5)' => [ "''", "'ä'", "'abcde'" ],
	'"char"' => [ "'a'", "''", q{'\\'} ],
	name => [ "''", "repeat('n', 63)", q{'"Q" \\'} ],
	bytea => [ "''", q{'\\x00'}, q{'\\x5c6e0a0d00ff2727'},
		q{(SELECT string_agg(decode(lpad(to_hex(i), 2, '0'), 'hex'), '') FROM generate_series(0, 255) i)} ],
	date => [ "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'0044-03-15 BC'", "'5874897-12-31'", "'2000-02-29'" ],
	time => [ "'00:00'", "'24:00'", "'23:59:59.999999'" ],
	'time(2)' => [ "'12:34:56.78'" ],
	timetz => [ "'00:00+15:59'", "'24:00-15:59'", "'04:05:06.789+05:30:15'" ],
	timestamp => [ "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'294276-12-31 23:59:59.999999'", "'2000-01-01 00:00:00.000001'" ],
	'timestamp(0)' => [ "'1999-12-31 23:59:59'" ],
	timestamptz => [ "'infinity'", "'-infinity'", "'4713-01-02 BC'", "'294276-12-31 23:59:59.999999+00'", "'2024-03-31 02:30+01'" ],
	interval => [ "'0'", "'-178000000 years'", "'178000000 years'", "'1 mon -1 day 00:00:00.000001'", "'-1 year 2 mons -3 days 04:05:06'" ],
	'interval day to second(3)' => [ "'1 day 00:00:01.234'" ],
	uuid => [ "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'" ],
	'bit(5)' => [ "B'00000'", "B'10101'" ],
	bit => [ "B'1'" ],
	varbit => [ "B''", "B'1'", "B'101010101'", "repeat('10', 300)::varbit" ],
	'varbit(4)' => [ "B'0101'" ],
	inet => [ "'0.0.0.0/0'", "'192.168.1.5/24'", "'::1'", "'2001:db8::ff00:42:8329/64'" ],
	cidr => [ "'10.0.0.0/8'", "'2001:db8::/32'" ],
	macaddr => [ "'08:00:2b:01:02:03'" ],
	macaddr8 => [ "'08:00:2b:01:02:03:04:05'" ],
	json => [ q{'{"a" : [1,  2.50, null, "\\u00e4 \\" \\n"], "a": 1 }'}, q{'null'}, q{'""'} ],
	jsonb => [ q{'{"b": [1, 2.50, null, "ä \\" \\n"], "a": {"x": -1e5}}'}, q{'null'}, q{'[]'}, q{('"' || repeat('j', 100000) || '"')::jsonb} ],
	xml => [ q{'<a b="1">ä &amp; <c/></a>'}, q{'text &amp; <b/>'}, q{'<?xml version="1.0"?><a/>'} ],
	tsvector => [ "''", q{$$'a':1A,2B 'it''s' 'x y':3$$} ],
	tsquery => [ "''", q{$$'a' & !( 'b':AB | 'c':* )$$} ],
	txid_snapshot => [ "'10:20:10,14,15'", "'1:1:'" ],
	pg_snapshot => [ "'10:20:10,14,15'" ],
	xid8 => [ "'18446744073709551615'", "'0'" ],
	xid => [ "'4294967295'" ],
	cid => [ "'4294967295'" ],
	tid => [ "'(0,0)'", "'(4294967295,65535)'" ],
	oid => [ "'0'", "'4294967295'" ],
	pg_lsn => [ "'0/0'", "'FFFFFFFF/FFFFFFFF'" ],
	refcursor => [ "'my cursor'", "''" ],
	int2vector => [ "'1 -2 3'", "''" ],
	oidvector => [ "'1 2 4294967295'" ],
	aclitem => [ q{('=r/' || quote_ident(current_user))::aclitem} ],
	jsonpath => [ q{'$.a[*] ? (@ > 1)'} ],
	regclass => [ "'pg_class'", "'0'", "'information_schema.tables'", "'zoo.bool'" ],
	regtype => [ "'integer'", "'text[]'" ],
	regproc => [ "'sin'" ],
	regprocedure => [ "'sin(double precision)'" ],
	regoper => [ "'||/'" ],
	regoperator => [ "'+(integer,integer)'" ],
	regnamespace => [ "'pg_catalog'" ],
	regconfig => [ "'english'" ],
	regdictionary => [ "'simple'" ],
	regcollation => [ q{'"C"'} ],
	regrole => [ "'pg_monitor'" ],
	point => [ "'(1,2)'", "'(-0,NaN)'", "'(Infinity,5e-324)'" ],
	lseg => [ "'[(1,2),(3,4)]'" ],
	line => [ "'{1,-1,0.1}'" ],
	box => [ "'(1,2),(3,4.1)'" ],
	path => [ "'((1,2),(3,4))'", "'[(1,2),(3,4.1)]'" ],
	polygon => [ "'((1,2),(3,4),(5,6.1))'" ],
	circle => [ "'<(1,2),3.1>'" ],
	int4range => [ "'empty'", "'[1,5)'", "'(,)'", "'(,5)'" ],
	int8range => [ "'[1,9223372036854775807)'" ],
	numrange => [ "'[1.0,1.00]'", "'(,NaN]'" ],
	tsrange => [ "'[-infinity,infinity]'", q{'["2000-01-01 00:00","2000-01-02 12:00")'} ],
	tstzrange => [ q{'["2000-01-01 00:00+00",infinity)'} ],
	daterange => [ "'[2000-01-01,2000-02-01)'", "'(,infinity)'" ],
	int4multirange => [ "'{}'", "'{[1,3),[5,7)}'" ],
	nummultirange => [ "'{[1.5,2.5),(10,)}'" ],
	datemultirange => [ "'{[2000-01-01,2000-02-01)}'" ],
	tstzmultirange => [ q{'{["2000-01-01 00:00+00",infinity)}'} ],
);

# What only PostgreSQL stores, or only in later versions.
if ($at_source < 140000)
{
	delete @values{ 'int2vector', 'oidvector', grep { /multirange/ } keys %values }; # no arrays of the first two
}
elsif ($at_destination >= 140000)
{
	push @{ $values{numeric} }, "'Infinity'", "'-Infinity'";
	push @{ $values{numrange} }, "'[-Infinity,Infinity]'";
}
if (!$t->destination_is_greenplum6)
{
	push @{ $values{tsquery} }, q{$$'a' <-> 'b' <3> 'c'$$};
	push @{ $values{xml} }, "''", "'<!DOCTYPE a><a/>'", q{'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><a/>'};
}

# Arrays beyond what is made of each type by itself.
my %more_arrays = (
	int4 => [ "'{}'", "'[2:3]={1,NULL}'", "'[-1:0][5:5]={{1},{2}}'", "'{{{1,2},{3,4}},{{5,6},{7,NULL}}}'" ],
	text => [ q{ARRAY['', 'NULL', NULL, 'a"b', E'\\\\', '{}', ',', ' ', E'\n\r\t', '\N']}, q{'{{"a b",NULL},{"\"",""}}'}, "'{}'" ],
	numeric => [ "'{NaN,1.00,NULL}'" ],
	bytea => [ q{ARRAY['\\x00ff5c', NULL, '']::bytea[]} ],
	timestamptz => [ "'{infinity,NULL,2000-01-01 00:00+00}'" ],
);

# ---- types that users make

my @made = (
	q{CREATE SCHEMA "My Types"},
	q{CREATE TYPE "My Types".mood AS ENUM ('sad', 'it''s ok', E'tab\\t"quoted" \\\\', 'ünïcödé', ' ')},
	q{CREATE DOMAIN "My Types".small AS int CHECK (VALUE < 1000)},
	q{CREATE DOMAIN "My Types".code AS varchar(5) NOT NULL DEFAULT ''},
	q{CREATE DOMAIN "My Types".feeling AS "My Types".mood},
	q{CREATE DOMAIN "My Types".deeper AS "My Types".small},
	q{CREATE DOMAIN "My Types".list AS int[]},
	q{CREATE TYPE "My Types".pair AS (a int, "b c" text, m "My Types".mood)},
	q{CREATE TYPE "My Types".nest AS (p "My Types".pair, l "My Types".pair[], n numeric)},
	q{CREATE TYPE "My Types".moods AS RANGE (subtype = "My Types".mood)},
	q{CREATE TYPE "My Types".halves AS RANGE (subtype = float8)},
	q{CREATE DOMAIN "My Types".couple AS "My Types".pair},
);
my %of_users = (
	mood => [ "'sad'", "'it''s ok'", q{E'tab\\t"quoted" \\\\'}, "'ünïcödé'", "' '" ],
	small => [ '-5', '999' ],
	code => [ "'ab'", "'ä\\'" ],
	feeling => [ "'sad'", "' '" ],
	deeper => [ '7' ],
	list => [ "'{1,NULL}'", "'[0:1]={5,6}'" ],
	pair => [ q{ROW(1, E'a"b\\\\,() \\n', 'sad')}, q{ROW(NULL, '', NULL)}, q{ROW(NULL, NULL, NULL)} ],
	nest => [ q{ROW(ROW(1, '"', 'sad'), ARRAY[ROW(2, NULL, ' ')]::"My Types".pair[], 1.50)} ],
	moods => [ q{'[sad,"it''s ok"]'}, "'empty'" ],
	halves => [ "'[0.5,1.5)'" ],
	couple => [ q{ROW(1, 'x', 'sad')} ],
);
my %of_extensions = (
	hstore => [ q{'a=>1, "b c"=>NULL, d=>"\\""'}, "''" ],
	citext => [ "'MiXed'", "''" ],
	ltree => [ "'Top.Science'", "''" ],
	cube => [ "'(1,2,3),(4,5,6)'" ],
	geometry => [ "'SRID=4326;POINT(1 2)'", "'LINESTRING(0 0,1 1.5)'" ],
);
my %named = (geometry => 'postgis'); # extensions that are not called as their type

# Made on both sides where the destination can, and then on the source alone.
my @extensions = grep { $t->source_sql("SELECT count(*) FROM pg_available_extensions WHERE name = '" . ($named{$_} // $_) . "'") } sort keys %of_extensions;
for my $sql (@made, map { 'CREATE EXTENSION ' . ($named{$_} // $_) } @extensions)
{
	$t->source_sql($sql);
	my ($failed, undef, $message) = SluiceTest::psql_try($t->destination_conninfo, $sql);
	note("the destination has no such type: $message") if $failed;
}
$t->source_sql(q{
	CREATE SCHEMA lonely;
	CREATE TYPE lonely.mood AS ENUM ('sad', 'glad');
	CREATE DOMAIN lonely.small AS int;
	CREATE TYPE lonely.pair AS (a int, m lonely.mood);
	CREATE TYPE lonely.newer AS (f float8, m macaddr8);
});
my %of_source = (
	mood => [ "'sad'", "'glad'" ],
	small => [ '1', '2' ],
	pair => [ "ROW(1, 'sad')", "ROW(NULL, 'glad')" ],
	newer => [ "ROW(0.30000000000000004, '08:00:2b:01:02:03:04:05')", "ROW('-0', NULL)" ], # as text, if need be
);

# ---- the tables

my (@tables, @setup, @changes);

# One table: the values in turn in rows of their own, NULL in one more.  Then
# every row gets another value, one goes and some come.
sub add_table
{
	my ($name, $type, @literals) = @_;
	$name =~ s{"}{}g;
	my $table = qq("zoo"."$name");
	my $null = $type =~ /code$/ ? "''" : 'NULL';
	my $id = 0;
	my $rows = join ', ', map { sprintf '(%d, (%s)::%s)', ++$id, $_, $type } @literals, $null;
	push @tables, "zoo.\"$name\"";
	push @setup, "CREATE TABLE $table (id int PRIMARY KEY, v $type, note text DEFAULT 'n'); INSERT INTO $table VALUES $rows";
	push @changes, "
		UPDATE $table SET v = (SELECT v FROM $table o WHERE o.id = $table.id % $id + 1);
		INSERT INTO $table SELECT id + 100, v, NULL FROM $table;
		UPDATE $table SET note = 'touched' WHERE id % 2 = 0;
		DELETE FROM $table WHERE id = 1;
		UPDATE $table SET id = -id WHERE id = 101";
}

sub add_type
{
	my ($name, $type, $literals, $more) = @_;
	add_table($name, $type, @$literals);
	my @arrays = ("'{}'", 'ARRAY[' . join(', ', map({ "($_)::$type" } grep { length($_) < 200 } @$literals), $type =~ /code$/ ? () : 'NULL') . "]::${type}[]");
	add_table("$name arrays", "${type}[]", @arrays, @{ $more // [] });
}

add_type($_, $_, $values{$_}, $more_arrays{$_}) for sort keys %values;
add_type("made $_", "\"My Types\".$_", $of_users{$_}) for sort keys %of_users;
add_type("lonely $_", "lonely.$_", $of_source{$_}) for sort keys %of_source;
add_type($_, $_, $of_extensions{$_}) for @extensions;

# Everything that has a binary form in one row, and beside it what is large.
my @plain = grep { !/^(reg|aclitem|")/ } sort keys %values;
push @tables, 'zoo.wide', 'zoo.large';
push @setup, 'CREATE TABLE zoo.wide (id int PRIMARY KEY, ' . join(', ', map { "\"$_\" $_" } @plain) . ');
	INSERT INTO zoo.wide VALUES (1); INSERT INTO zoo.wide VALUES (2, ' . join(', ', map { "($values{$_}[0])::$_" } @plain) . ')';
push @changes, 'INSERT INTO zoo.wide VALUES (3, ' . join(', ', map { "($values{$_}[-1])::$_" } @plain) . ');
	UPDATE zoo.wide SET id = 4 WHERE id = 2; UPDATE zoo.wide SET text = NULL WHERE id = 3; DELETE FROM zoo.wide WHERE id = 1';
push @setup, q{
	CREATE TABLE zoo.large (id int PRIMARY KEY, t text, b bytea, n int);
	CREATE FUNCTION noise(megabytes int, seed text) RETURNS bytea LANGUAGE sql AS $$
		SELECT string_agg(decode(md5(seed || i), 'hex'), '') FROM generate_series(1, megabytes * 65536) i $$;
	INSERT INTO zoo.large VALUES (1, repeat(E'line\n\\\\', 150000), noise(5, 'a'), 1),
		(2, encode(noise(1, 'b'), 'base64'), repeat('\\000', 3000000)::bytea, 2), (3, '', '', 3)};
push @changes, q{
	INSERT INTO zoo.large VALUES (4, encode(noise(1, 'c'), 'hex'), noise(5, 'd'), 4);
	UPDATE zoo.large SET n = -n;
	UPDATE zoo.large SET t = t || 'more' WHERE id = 2;
	UPDATE zoo.large SET id = 10, n = 0 WHERE id = 1;
	DELETE FROM zoo.large WHERE id = 3};

# Without a key whole rows are found by all of these values, as often as there are equal ones.
my %keyless = (
	plain => { map { $_ => [ @{ $values{$_} }[ 0, -1 ], $_ ] } @plain },
	other => {
		(map { $_ => [ @{ $values{$_} }[ 0, -1 ], $_ ] } grep { /^(reg|")/ } keys %values),
		(map { ("made $_" => [ @{ $of_users{$_} }[ 0, -1 ], "\"My Types\".$_" ]) } keys %of_users),
		(map { ("lonely $_" => [ @{ $of_source{$_} }[ 0, -1 ], "lonely.$_" ]) } keys %of_source),
		(map { ("extended $_" => [ @{ $of_extensions{$_} }[ 0, -1 ], $_ ]) } @extensions),
	},
);
for my $kind (sort keys %keyless)
{
	my $table = "zoo.keyless_$kind";
	my @columns = sort keys %{ $keyless{$kind} };
	my $row = sub { my ($which, $n) = @_; return "($n, " . join(', ', map { my ($first, $last, $type) = @{ $keyless{$kind}{$_} }; '(' . ($which ? $last : $first) . ")::$type" } @columns) . ')'; };
	push @tables, $table;
	push @setup, "CREATE TABLE $table (n int, " . join(', ', map { (my $name = $_) =~ s/"//g; "\"c $name\" $keyless{$kind}{$_}[2]" } @columns) . "); ALTER TABLE $table REPLICA IDENTITY FULL;
		INSERT INTO $table VALUES " . join(', ', map { $row->($_ % 2, $_ % 3) } 1 .. 12);
	push @setup, "INSERT INTO $table (n) VALUES (NULL), (NULL), (NULL)" unless $kind eq 'other'; # a domain is NOT NULL
	push @changes, "DELETE FROM $table WHERE ctid IN (SELECT min(ctid) FROM $table WHERE n > 0 GROUP BY n);
		UPDATE $table SET n = 10 WHERE ctid = (SELECT max(ctid) FROM $table WHERE n = 1); INSERT INTO $table VALUES " . $row->(0, 1) . ', ' . $row->(1, 20) . ";
		DELETE FROM $table WHERE ctid = (SELECT min(ctid) FROM $table WHERE n IS NULL); UPDATE $table SET n = 2 WHERE n = 0";
}

$t->source_sql("CREATE SCHEMA zoo; SET client_min_messages = error;\n" . join(";\n", @setup));

# ---- copied, then changed in one transaction, then one by one

$t->configure({ tables => { include => ['zoo.*'] } });
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

$t->start;
$t->source_sql("BEGIN;\n" . join(";\n", @changes) . ";\nCOMMIT");
$t->wait_applied_ok('the changes are applied');
$t->all_equal_ok(@tables);
$t->source_sql(join ";\n", map { "UPDATE $_ SET id = id + 1000 WHERE id % 2 = 1; DELETE FROM $_ WHERE id = 1103" } grep { !/keyless/ } @tables);
$t->source_sql("UPDATE zoo.keyless_$_ SET n = n + 100 WHERE ctid IN (SELECT max(ctid) FROM zoo.keyless_$_ GROUP BY n)") for sort keys %keyless;
$t->wait_applied_ok('and more of them');

# Values that compare takes from the log and lays over the source's rows.
my $updates = join ";\n", map { "UPDATE $_ SET id = id WHERE id % 2 = 0; COMMIT" } grep { !/keyless/ } @tables;
my $busy = IPC::Run::start([ 'psql', '-XAqt', '-d', $t->source_conninfo, '-c', "DO \$do\$ BEGIN LOOP $updates; PERFORM pg_sleep(0.5); END LOOP; END \$do\$" ],
	'>', \my $ignored, '2>', \my $complaints);
$t->run_ok('compare') for 1 .. 2;
ok($busy->pumpable, 'while rows were updated') or diag($complaints);
$t->source_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %' AND pid <> pg_backend_pid()");
$busy->finish;
$t->wait_applied_ok('the last of them');
is($t->stop, 0, 'it stops');
$t->all_equal_ok(@tables);

done_testing();
