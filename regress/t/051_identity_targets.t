#!/usr/bin/perl
# Targets with a column GENERATED ALWAYS AS IDENTITY that the source feeds, as the key and as another column: in the copy,
# row by row, in bulk, and copied again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
plan skip_all => 'the destination has no identity columns' if $t->destination_is_greenplum6;

my @names = qw(as_key as_value keyless absent);
my $always = 'GENERATED ALWAYS AS IDENTITY';
$t->source_sql(q{
	CREATE TABLE as_key (id int PRIMARY KEY, v text, long text); ALTER TABLE as_key ALTER long SET STORAGE EXTERNAL;
	CREATE TABLE as_value (id int PRIMARY KEY, n bigint NOT NULL, v text);
	CREATE TABLE keyless (n int NOT NULL, v text); ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE absent (id int PRIMARY KEY, n int NOT NULL, v text);
	INSERT INTO as_key SELECT i, 'v', repeat('long', 1000) FROM generate_series(1, 3000) i;
	INSERT INTO as_value SELECT i, 10 * i, 'v' FROM generate_series(1, 3000) i;
	INSERT INTO keyless SELECT i, 'v' FROM generate_series(1, 20) i;
	INSERT INTO absent SELECT i, i, 'v' FROM generate_series(1, 20) i});
$t->destination_sql(qq{
	CREATE TABLE as_key (id int $always PRIMARY KEY, v text, long text);
	CREATE TABLE as_value (id int PRIMARY KEY, n bigint $always, v text, own int $always);
	CREATE TABLE keyless (n int $always, v text);
	CREATE TABLE absent (id int PRIMARY KEY, n int $always, v text)} =~ s/, own int \Q$always\E//r);
$t->configure({ tables => { overrides => [ { source => 'public.absent', rows_may_be_absent => \1 } ] } });
$t->run_ok('check');

sub applied_ok
{
	my ($sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->source_sql($sql) if $sql;
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(map { "public.$_" } @names);
}

applied_ok('');
# A few rows: inserts, updates in place, of the identity column, of the key, deletes.
applied_ok(q{
	INSERT INTO as_key VALUES (3001, 'new', 'x'); UPDATE as_key SET v = 'w' WHERE id = 1; UPDATE as_key SET id = -id WHERE id = 2; DELETE FROM as_key WHERE id = 3;
	INSERT INTO as_value VALUES (3001, 1, 'new'); UPDATE as_value SET v = 'w' WHERE id = 1; UPDATE as_value SET n = -n WHERE id = 2; DELETE FROM as_value WHERE id = 3;
	INSERT INTO keyless VALUES (30, 'new'); UPDATE keyless SET v = 'w' WHERE n = 1; UPDATE keyless SET n = -n WHERE n = 2; DELETE FROM keyless WHERE n = 3});
$t->destination_sql('DELETE FROM absent WHERE id < 5');
applied_ok(q{INSERT INTO absent VALUES (21, 1, 'new'); UPDATE absent SET v = 'w' WHERE id IN (1, 6); UPDATE absent SET n = -n WHERE id IN (2, 7); DELETE FROM absent WHERE id IN (3, 4)});
# Many.
applied_ok(q{
	INSERT INTO as_key SELECT i, 'more', 'x' FROM generate_series(4000, 8000) i; UPDATE as_key SET v = 'x' WHERE id < 2500; UPDATE as_key SET id = -id WHERE id BETWEEN 2600 AND 2900;
	UPDATE as_value SET v = 'x' WHERE id < 2500; UPDATE as_value SET n = -n WHERE id BETWEEN 100 AND 2000; DELETE FROM as_value WHERE id > 2900;
	INSERT INTO absent SELECT i, i, 'more' FROM generate_series(100, 3000) i; UPDATE absent SET v = 'y', n = n + 1 WHERE id > 150});
$t->run_ok('table', 'resync', map { "public.$_" } @names);
applied_ok(q{TRUNCATE keyless; INSERT INTO keyless VALUES (1, 'x')});
$t->run_ok('compare');

done_testing();
