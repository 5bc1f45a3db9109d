#!/usr/bin/perl
# Updates and deletes must meet the rows that they are for: those that the
# target lacks, or keeps, stop the run, unless rows may be absent.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;

$t->source_sql(q{
	CREATE TABLE few (id int PRIMARY KEY, v text);
	CREATE TABLE many (id int PRIMARY KEY, v text);
	CREATE TABLE pruned (id int PRIMARY KEY, v text, large text); ALTER TABLE pruned ALTER large SET STORAGE EXTERNAL;
	INSERT INTO few SELECT i, 'v' FROM generate_series(1, 100) i;
	INSERT INTO many SELECT i, 'v' FROM generate_series(1, 3000) i;
	INSERT INTO pruned SELECT i, 'v', repeat('l', 3000) FROM generate_series(1, 3000) i;
});
$t->configure({ tables => { overrides => [ { source => 'public.pruned', rows_may_be_absent => 'true' } ] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

# Removes a row of the target behind the program's back, has the source change it, and expects the run to name it; then all is repaired.
sub refused_ok
{
	my ($table, $id, $change, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $row = $t->destination_sql("DELETE FROM $table WHERE id = $id RETURNING id || ', ' || quote_literal(v)");
	my $before = $t->destination_sql("SELECT count(*), sum(id), min(v), max(v) FROM $table");
	$t->source_sql($change);
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.$table: .*row with id = $id: .*not found in the target.*resync.*rows_may_be_absent/, $name);
	is($t->destination_sql("SELECT count(*), sum(id), min(v), max(v) FROM $table"), $before, "$name: nothing of the batch was done");
	$t->destination_sql("INSERT INTO $table VALUES ($row)");
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok("public.$table");
}

refused_ok('few', 7, 'DELETE FROM few WHERE id = 7', 'a single delete');
refused_ok('few', 8, q{UPDATE few SET v = 'new' WHERE id = 8}, 'a single update');
refused_ok('few', 15, 'DELETE FROM few WHERE id BETWEEN 10 AND 40', 'some deletes');
refused_ok('few', 55, q{UPDATE few SET v = 'newer' WHERE id BETWEEN 50 AND 90}, 'some updates');
refused_ok('few', 95, q{UPDATE few SET id = 195 WHERE id = 95}, 'a key that moves');
refused_ok('many', 77, 'DELETE FROM many WHERE id < 1000', 'many deletes');
refused_ok('many', 1777, q{UPDATE many SET v = 'new' WHERE id BETWEEN 1500 AND 2900}, 'many updates');

# ---- where rows may be absent

$t->destination_sql('DELETE FROM pruned WHERE id % 2 = 0');
$t->source_sql(q{UPDATE pruned SET v = 'one', large = 'l' WHERE id = 2; DELETE FROM pruned WHERE id = 4});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql(q{SELECT count(*), count(CASE WHEN id = 2 AND v = 'one' THEN 1 END) FROM pruned}), '1501|1', 'an absent row that is updated comes back; one that is deleted is no error');
$t->source_sql(q{UPDATE pruned SET v = 'some', large = 's' WHERE id BETWEEN 10 AND 29; UPDATE pruned SET v = 'many', large = 'm' WHERE id BETWEEN 1000 AND 2999; DELETE FROM pruned WHERE id BETWEEN 30 AND 900});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql(q{SELECT count(*) FROM pruned WHERE id BETWEEN 10 AND 29 AND v = 'some' OR id BETWEEN 1000 AND 2999 AND v = 'many'}), 2020, 'however many there are');
$t->source_sql(q{UPDATE pruned SET v = 'partial' WHERE id = 902});
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.pruned: .*rows are not in the target, and the log lacks their large values.*REPLICA IDENTITY FULL/, 'a large value that is not in the log');
$t->destination_sql(q{INSERT INTO pruned VALUES (902, 'v', 'here')});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql('SELECT v FROM pruned WHERE id = 902'), 'partial', 'it goes on once the row is there');

# ---- rows that the target keeps

SKIP:
{
	skip 'rules of a loader that may not switch them off are looked for on PostgreSQL', 34 if $greenplum || $t->destination_is_external;
	$t->destination_sql(q{
		CREATE ROLE loader LOGIN; GRANT CREATE ON DATABASE postgres TO loader; GRANT ALL ON ALL TABLES IN SCHEMA public, sluice TO loader; GRANT ALL ON SCHEMA public, sluice TO loader;
		CREATE RULE keep AS ON DELETE TO few DO INSTEAD NOTHING;
	});
	$t->configure({ destination => { conninfo => $t->destination_conninfo . ' user=loader' }, tables => { overrides => [ { source => 'public.pruned', rows_may_be_absent => 'true' } ] } });
	like($t->run_ok('check')->{stdout}, qr/warning.*public\.few: it has rules, which rewrite what is applied: keep/, 'check mentions rules');
	$t->source_sql('DELETE FROM few WHERE id = 100');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.few: row with id = 100: .*not found in the target.*rule or trigger/, 'a rule that keeps a row');
	$t->destination_sql('DROP RULE keep ON few');
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok('public.few');

	# Rows that are inserted again because of an index or a column that only the target has, or that were absent.
	$t->destination_sql(q{
		CREATE UNIQUE INDEX ON many ((id + 0 * length(v))); ALTER TABLE few ADD note text DEFAULT 'mine';
		DELETE FROM pruned WHERE id BETWEEN 2001 AND 2020;
	});
	for my $case ([ 'many', q{UPDATE many SET v = 'one' WHERE id = 1600}, 'one that differs' ], [ 'many', q{UPDATE many SET v = 'more' WHERE id > 1700}, 'some that differ' ],
		[ 'few', 'UPDATE few SET id = -id WHERE id > 60', 'keys that move', columns => [qw(id v)] ],
		[ 'pruned', q{UPDATE pruned SET v = 'one' WHERE id = 2001}, 'an absent row' ], [ 'pruned', q{UPDATE pruned SET v = 'some' WHERE id BETWEEN 2001 AND 2100}, 'absent rows' ])
	{
		my ($table, $change, $name, %options) = @$case;
		$t->source_sql($change);
		$t->destination_sql("CREATE RULE swallow AS ON INSERT TO $table DO INSTEAD NOTHING");
		my $before = $t->destination_sql("SELECT count(*), sum(id) FROM $table");
		$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.$table: .*a row to insert was not taken by the target.*rule or trigger/, "a rule that swallows $name");
		is($t->destination_sql("SELECT count(*), sum(id) FROM $table"), $before, "$name: nothing was lost");
		$t->destination_sql("DROP RULE swallow ON $table");
		$t->run_ok('run', '--until', 'current');
		$t->equal_ok("public.$table", %options) unless $table eq 'pruned';
	}
	is($t->destination_sql(q{SELECT count(*) FROM pruned WHERE id BETWEEN 2001 AND 2100 AND v = 'some'}), 100, 'absent rows came');
}

# A domain rounds what comes in, and is not rounded to when a key is looked for.
$t->source_sql(q{CREATE TABLE rounded (k numeric PRIMARY KEY, v int); INSERT INTO rounded VALUES (1.25, 1)});
$t->destination_sql('CREATE DOMAIN tenths AS numeric(10,1); CREATE TABLE rounded (k tenths PRIMARY KEY, v int)' . ($greenplum ? ' DISTRIBUTED BY (k)' : ''));
$t->configure({ task => 'rounding', tables => { include => ['public.rounded'] } });
$t->run_ok('run', '--until', 'current');
$t->source_sql('UPDATE rounded SET v = 2');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.rounded: row with k = 1\.25: .*not found in the target/, 'a key that the target rounded');

done_testing();
