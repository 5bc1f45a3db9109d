#!/usr/bin/perl
# Sources of other encodings than the destination's.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

# Values with letters that are other bytes in the two encodings.
sub follow
{
	my ($encoding, @values) = @_;
	$t->source->safe_psql('postgres', "CREATE DATABASE $encoding ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$t->{source}{conninfo} = $t->source->connstr(lc $encoding);
	$t->source_sql("CREATE TYPE mood AS ENUM ('x', '$values[0]'); CREATE TABLE plain (id int PRIMARY KEY, v text, c char(10), n name, j jsonb, a text[], b bytea);
		CREATE TABLE as_text (id int PRIMARY KEY, v text, m mood[]); CREATE TABLE keyed (k text PRIMARY KEY, v int);
		CREATE TABLE unkeyed (v text); ALTER TABLE unkeyed REPLICA IDENTITY FULL");
	my $n = 0;
	my $insert = sub {
		return join ';', map { my $id = ++$n; "INSERT INTO plain VALUES ($id, '$_', '$_', '$_', to_jsonb('$_'::text), ARRAY['$_'], '$_'::text::bytea);
			INSERT INTO as_text VALUES ($id, '$_', '{x,$values[0]}'); INSERT INTO keyed VALUES ('$_$id', $id); INSERT INTO unkeyed VALUES ('$_'), ('$_')" } @values;
	};
	my @tables = map { "public.$_" } qw(plain as_text keyed unkeyed);
	$t->source_sql($insert->());
	$t->configure;
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
	$t->source_sql($insert->() . "; UPDATE plain SET v = v || v; UPDATE keyed SET v = -v; UPDATE keyed SET k = k || k WHERE v < -1; DELETE FROM keyed WHERE v = -1;
		UPDATE as_text SET m = NULL WHERE id = 1; DELETE FROM unkeyed WHERE ctid = (SELECT max(ctid) FROM unkeyed WHERE v = '$values[0]')");
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
	$t->run_ok('compare');
	$t->run_ok('drop');
	$t->destination_sql('DROP TABLE plain, as_text, keyed, unkeyed; DROP TYPE mood');

	$t->source_sql("CREATE TABLE named (id int PRIMARY KEY, \"$values[0]\" int)");
	$t->configure({ tables => { include => ['public.named'] } });
	$t->fails_like([ 'run', '--until', 'current' ], 3, qr/public\.named: its name or a column's has letters beyond ASCII/, "names in $encoding");
}

follow('LATIN1', "\xc3\xa4\xc3\xb6\xc3\xbc", "\xc3\xbf");
follow('EUC_JP', "\xe6\x97\xa5\xe6\x9c\xac", "\xe3\x82\xab");

done_testing();
