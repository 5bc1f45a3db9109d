#!/usr/bin/perl
# Sources of other encodings than the destination's, with letters beyond ASCII in names and values, in the copy and in
# the stream, into a destination in UTF8 and into one of the same encoding.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });
my $destination = $t->destination_conninfo;
my @made;

# A database in that encoding becomes the test's destination; on a user's server it is dropped at the end.
sub into
{
	my ($encoding) = @_;
	my $name = sprintf 'sluice_test_%d_%s', $$, lc $encoding;
	SluiceTest::psql($destination, "CREATE DATABASE $name ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	push @made, $name;
	$t->{destination} = { %{ $t->{destination} }, conninfo => "$destination dbname=$name" };
}

sub from
{
	my ($encoding, $name) = @_;
	$name //= lc $encoding;
	$t->source->safe_psql('postgres', "CREATE DATABASE $name ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$t->{source}{conninfo} = $t->source->connstr($name) . ' user=postgres';
}

# Two strings with letters that are other bytes in the two encodings, the first a plain name; they are in every kind of
# name and of value.
sub follow
{
	my ($first, $second) = @_;
	my @values = ($first, $second);
	$t->source_sql(qq{
		CREATE SCHEMA "s$first";
		CREATE TYPE "s$first"."mood $first" AS ENUM ('x', '$first');
		CREATE TABLE "s$first"."t$first" (id int PRIMARY KEY, "$first" text DEFAULT '$second', c char(10), n name, j jsonb, js json,
			a text[], b bytea, m "s$first"."mood $first", ts tsvector);
		CREATE TABLE as_text (id int PRIMARY KEY, "$first" text, m "s$first"."mood $first"[]);
		CREATE TABLE keyed ("k$first" text PRIMARY KEY, v int);
		CREATE TABLE unkeyed ("$first" text); ALTER TABLE unkeyed REPLICA IDENTITY FULL;
		CREATE TABLE filtered (id int PRIMARY KEY, "$first" text);
		CREATE TABLE "p$first" (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE "p$first 1" PARTITION OF "p$first" FOR VALUES FROM (0) TO (1000);
		CREATE TABLE "p$first 2" PARTITION OF "p$first" FOR VALUES FROM (1000) TO (2000);
		CREATE TABLE "not$first" (id int PRIMARY KEY)});
	my $n = 0;
	my $insert = sub {
		return join ';', map { my $id = ++$n;
			qq{INSERT INTO "s$first"."t$first" VALUES ($id, '$_', '$_', '$_', to_jsonb('$_'::text), '["$_"]', ARRAY['$_', NULL], '$_'::text::bytea, '$first', '$_'::tsvector);
			INSERT INTO as_text VALUES ($id, '$_', '{x,$first}'); INSERT INTO keyed VALUES ('$_$id', $id); INSERT INTO unkeyed VALUES ('$_'), ('$_');
			INSERT INTO filtered VALUES ($id, '$_'); INSERT INTO "p$first" VALUES ($id, '$_'), (1000 + $id, '$_')} } @values;
	};
	my @tables = (qq{"s$first"."t$first"}, 'public.as_text', 'public.keyed', 'public.unkeyed', qq{public."p$first"});
	my $equal = sub {
		local $Test::Builder::Level = $Test::Builder::Level + 1;
		$t->run_ok('run', '--until', 'current');
		$t->all_equal_ok(@tables);
		is($t->destination_sql(qq{SELECT count(*) || ' ' || count(nullif("$first", '$first')) FROM filtered}), $n / 2 . ' 0', 'rows that a condition with such letters selects');
	};
	$t->source_sql($insert->());
	$t->configure({ tables => { include => [ "\"s$first\".*", 'public.*' ], exclude => ["public.not$first"],
		overrides => [ { source => 'public.filtered', where => qq{filtered."$first" = '$first'} } ] } });
	$equal->();

	# A value whose characters are cut by the pieces in which it is converted and sent, wherever those end.
	my $large = sub { my ($lead) = @_; return "repeat('a', $lead) || repeat('$second', 1200000)" };
	$t->source_sql($insert->() . qq{;
		UPDATE "s$first"."t$first" SET "$first" = "$first" || '$second'; UPDATE keyed SET v = -v; UPDATE keyed SET "k$first" = "k$first" || '$first' WHERE v < -1; DELETE FROM keyed WHERE v = -1;
		UPDATE as_text SET m = NULL WHERE id = 1; DELETE FROM unkeyed WHERE ctid = (SELECT max(ctid) FROM unkeyed WHERE "$first" = '$first');
		SELECT pg_logical_emit_message(true, 'p$first', 'c$first'); SELECT pg_logical_emit_message(false, 'p$first', 'c$first');
		BEGIN; INSERT INTO "s$first"."t$first" (id, "$first") VALUES } . join(', ', map { "(100 + $_, " . $large->($_) . ')' } 0 .. 2) . q{; COMMIT;
		INSERT INTO as_text VALUES (100, } . $large->(1) . qq{, NULL); INSERT INTO "s$first"."t$first" (id, a, j) VALUES (110, ARRAY[} . $large->(1) . '], to_jsonb(' . $large->(2) . '))');
	$equal->();

	# Definitions that change, of tables and types; a table that is new.
	$t->source_sql(qq{ALTER TYPE "s$first"."mood $first" ADD VALUE 'n$second'});
	$t->source_sql(qq{ALTER TABLE "s$first"."t$first" ADD "new$second" text DEFAULT 'd$second'; ALTER TABLE keyed RENAME v TO "v$first";
		UPDATE "s$first"."t$first" SET m = 'n$second' WHERE id = 2; INSERT INTO keyed VALUES ('n', 100);
		CREATE TABLE "n$first" (id int PRIMARY KEY, "$second" text DEFAULT '$first'); INSERT INTO "n$first" VALUES (1, '$second')});
	$t->source_sql(qq{TRUNCATE "p$first"; INSERT INTO "p$first" VALUES (5, '$second')});
	push @tables, qq{public."n$first"};
	$equal->();
	is($t->destination_sql(qq{INSERT INTO "n$first" VALUES (2); SELECT count(*) FROM "n$first" WHERE "$second" = '$first'}), 1, 'a default value came along');
	$t->destination_sql(qq{DELETE FROM "n$first" WHERE id = 2});
	$t->run_ok('compare');
	is(scalar(grep { $_->{source} =~ /^public\.not/ } @{ $t->status->{tables} }), 0, 'an excluded table is not there');

	# A row that was changed at the destination is found, and a new copy puts it right.
	$t->destination_sql(qq{UPDATE "s$first"."t$first" SET "$first" = 'x$second' WHERE id = 1});
	$t->fails_like([ 'compare', qq{"s$first"."t$first"} ], 4, qr/differences in 1 of 1 table/, 'a changed row is found');
	$t->run_ok('table', 'resync', qq{"s$first"."t$first"});
	$equal->();
	$t->run_ok('drop');
}

my @latin = ("\xc3\xa4\xc3\xb6", "\xc3\xbf");
my @japanese = ("\xe6\x97\xa5\xe6\x9c\xac", "\xe3\x82\xab");

from('LATIN1');
subtest 'LATIN1 into UTF8' => sub { follow(@latin) };
from('EUC_JP');
into('EUC_JP');
subtest 'EUC_JP into EUC_JP' => sub { follow(@japanese) };

# ---- what the destination lacks

sub table_of
{
	my ($name) = @_;
	my ($table) = grep { $_->{source} =~ /\.\Q$name\E$/ } @{ $t->status->{tables} };
	utf8::encode($table->{error}) if defined $table->{error};
	return $table;
}

# Each of the two tables gets a row that the destination cannot have: one in the stream, one in the copy.
sub refused
{
	my ($bad, $why, $bytes) = @_;
	$t->source_sql(qq{CREATE TABLE good (id int PRIMARY KEY, v text); CREATE TABLE streamed (id int, "k\xc3\xa4" text, "v\xc3\xa4" text, PRIMARY KEY (id, "k\xc3\xa4"));
		CREATE TABLE copied (id int PRIMARY KEY, v text, "w\xc3\xa4" text[]); CREATE TABLE as_array (id int PRIMARY KEY, v text[]);
		CREATE TYPE pair AS (a int, b int); CREATE TABLE as_row (id int PRIMARY KEY, v text, p pair); CREATE TABLE copied_row (id int PRIMARY KEY, v text, p pair);
		INSERT INTO good VALUES (1, 'x'); INSERT INTO streamed VALUES (1, '\xc3\xa4', '\xc3\xb6'); INSERT INTO copied VALUES (1, 'x', '{y}')});
	$t->configure({ apply => { refused => 'hold' } });
	$t->run_ok('run', '--until', 'current');
	$t->source_sql(qq{INSERT INTO streamed VALUES (2, '\xc3\xa4', 'x'), (3, '\xc3\xa4', 'x' || $bad), (4, 'z', 'z'); INSERT INTO as_array VALUES (7, ARRAY['x', $bad]); INSERT INTO as_row VALUES (8, 'x' || $bad, '(1,2)'); INSERT INTO good VALUES (2, 'x')});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/held/, 'the run ends with the held tables');
	$t->equal_ok('public.good');
	like(table_of('streamed')->{error}, qr/\b3\b.*v\xc3\xa4|v\xc3\xa4.*\b3\b/s, 'the row and the column are named');
	like(table_of('streamed')->{error}, $why, 'and the cause');
	like(table_of('as_array')->{error}, qr/\b7\b/, 'also where the character is in an array');
	my $column = $bytes =~ /0x/ ? 'column v: .*' : '';
	like(table_of('as_row')->{error}, qr/\b8\b.*$column$bytes/s, 'or among types that have no binary form');
	$t->run_ok('drop');
	$t->destination_sql('DROP TABLE good, streamed, copied, as_array, as_row, copied_row');
	# In a copy: of a table as a whole, selected by a condition, and in an array; then the remedy.
	$t->source_sql(qq{DELETE FROM as_array; DELETE FROM as_row; DELETE FROM streamed WHERE id = 3; INSERT INTO copied SELECT i, 'x', '{y}' FROM generate_series(2, 50) i; UPDATE copied SET "w\xc3\xa4"[2] = $bad WHERE id = 33;
		ALTER TABLE copied RENAME id TO "i\xc3\xa4"});
	my $copied = $t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying public\.copied: row with "i\xc3\xa4" = 33: .*column w\xc3\xa4: .*$bytes.*; fix that, then "sluice table resync public\.copied"/, 'a copy names row, column and cause');
	$t->source_sql(qq{UPDATE copied SET "w\xc3\xa4" = '{z}' WHERE "i\xc3\xa4" = 33});
	$t->run_ok('table', 'resync', 'public.copied');
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok('public.copied');
	$t->run_ok('drop');
	$t->destination_sql('DROP TABLE good, streamed, copied, as_array, as_row, copied_row');
	$t->source_sql(qq{INSERT INTO copied_row SELECT i, 'x' || CASE WHEN i = 33 THEN $bad ELSE '' END, ROW(i, i)::pair FROM generate_series(1, 50) i});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying public\.copied_row: row with "id" = 33: .*column v: .*$bytes/, 'also among types that have no binary form');
	$t->run_ok('drop');
	$t->source_sql('DELETE FROM copied_row');
	$t->destination_sql('DROP TABLE good, streamed, copied, as_array, as_row, copied_row');
}

into('LATIN1');
from('UTF8');
subtest 'UTF8 into LATIN1' => sub { refused("'\xe6\x97\xa5'", qr/LATIN1/, qr/LATIN1/) };
subtest 'names that LATIN1 lacks' => sub {
	my $bad = "\xe6\x97\xa5";
	$t->source_sql(qq{CREATE TABLE fine (id int PRIMARY KEY); CREATE TABLE "t$bad" (id int PRIMARY KEY); CREATE TABLE columns (id int PRIMARY KEY, "c$bad" int); INSERT INTO "t$bad" VALUES (1)});
	my %both = (include => [ 'public.fine', "public.t$bad", 'public.columns' ]);
	$t->configure({ tables => \%both });
	my $said = $t->sluice('check')->{stdout};
	like($said, qr/failed +names +public\."t$bad": the destination's encoding LATIN1.*lacks a letter of "t$bad"/, 'of a table');
	like($said, qr/failed +names +public\.columns: the destination's encoding LATIN1.*lacks a letter of "c$bad"/, 'of a column');
	$t->source_sql(qq{ALTER TABLE "t$bad" RENAME TO t2; ALTER TABLE columns RENAME "c$bad" TO c});
	$t->configure;
	$t->run_ok('run', '--until', 'current');
	is($t->destination_sql('SELECT count(*) FROM t2'), 1, 'the remedy');
	$t->run_ok('drop');
};
into('UTF8');
from('WIN1252');
subtest 'WIN1252 into UTF8' => sub { refused('chr(129)', qr/UTF8/, qr/0x81/) };
from('LATIN1', 'long_names');
subtest 'names that are too long in UTF8' => sub {
	my $long = "\xc3\xa4" x 40;
	$t->source_sql(qq{CREATE TABLE "$long" (id int PRIMARY KEY)});
	$t->configure;
	$t->fails_like(['run'], 3, qr/in UTF8 a name takes 80 bytes, and the destination's names have at most 63/, 'are refused');
};
from('SQL_ASCII');
subtest 'SQL_ASCII into UTF8' => sub { refused('chr(228)', qr/UTF8/, qr/0xe4/) };

done_testing();

END
{
	SluiceTest::psql_try($destination, "DROP DATABASE $_") for @made;
}
