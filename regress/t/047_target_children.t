#!/usr/bin/perl
# A target from which other tables inherit: rows of those are not the source's.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $distributed = $t->destination_is_greenplum ? 'DISTRIBUTED BY (id)' : '';

$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE keyless (id int, v text); ALTER TABLE keyless REPLICA IDENTITY FULL;
	INSERT INTO keyed SELECT i, 'source' FROM generate_series(1, 2000) i; INSERT INTO keyless TABLE keyed;
});
$t->destination_sql(qq{
	CREATE TABLE keyed (id int PRIMARY KEY, v text) $distributed; CREATE TABLE keyed_child () INHERITS (keyed);
	CREATE TABLE keyless (id int, v text) $distributed; CREATE TABLE keyless_child () INHERITS (keyless);
	INSERT INTO keyed_child SELECT i, 'source' FROM generate_series(1, 2000) i; INSERT INTO keyless_child SELECT * FROM keyed_child;
});
my $children = q{SELECT count(*), min(v), max(v) FROM (SELECT * FROM keyed_child UNION ALL SELECT * FROM keyless_child) c};
my $untouched = $t->destination_sql($children);

sub same_ok
{
	my ($name, $compare) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->run_ok('run', '--until', 'current');
	is($t->destination_sql("SELECT count(*) || ' ' || coalesce(sum(id), 0) || ' ' || coalesce(string_agg(v, '' ORDER BY id), '') FROM ONLY $_"),
		$t->source_sql("SELECT count(*) || ' ' || coalesce(sum(id), 0) || ' ' || coalesce(string_agg(v, '' ORDER BY id), '') FROM $_"), "$name: $_")
	  for qw(keyed keyless);
	is($t->destination_sql($children), $untouched, "$name: the children have their rows");
	is($t->sluice('compare')->{status}, 0, "$name: compare does not count them") if $compare;
}

$t->configure;
like($t->run_ok('check')->{stdout}, qr/warning.*public\.keyed: other tables inherit from it/, 'check says so; rows of children are no contents of the target');
same_ok('the initial copy', 1);
$t->source_sql("UPDATE $_ SET v = 'one' WHERE id = 1; DELETE FROM $_ WHERE id = 2") for qw(keyed keyless);
same_ok('single rows');
$t->source_sql("UPDATE $_ SET v = 'some' WHERE id BETWEEN 10 AND 100; DELETE FROM $_ WHERE id BETWEEN 101 AND 200") for qw(keyed keyless);
same_ok('some rows');
$t->source_sql("UPDATE $_ SET v = 'many' WHERE id BETWEEN 1000 AND 1800; DELETE FROM $_ WHERE id > 1200") for qw(keyed keyless);
same_ok('many rows');
$t->source_sql('UPDATE keyed SET id = -id WHERE id > 1100');
same_ok('keys that move');
$t->source_sql("TRUNCATE $_; INSERT INTO $_ VALUES (1, 'again')") for qw(keyed keyless);
same_ok('truncate', 1);

SKIP:
{
	skip 'Greenplum has no triggers on each row', 2 if $t->destination_is_greenplum;
	$t->destination_sql(q{CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO keyed_child VALUES (NEW.*); RETURN NULL; END';
		CREATE TRIGGER route BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION route()});
	my $check = $t->sluice('check');
	is($check->{status}, 3, 'check refuses where a trigger puts rows into the children');
	like($check->{stdout}, qr/failed.*public\.keyed: a trigger puts its rows into tables that inherit from it/, 'and says so');
}

done_testing();
