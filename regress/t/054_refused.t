#!/usr/bin/perl
# apply.refused: hold.  A table whose target refuses a change, or lacks a row, is
# held; the others go on, and a new copy brings it back.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });
my $greenplum = $t->destination_is_greenplum;

$t->source_sql(q{
	CREATE TABLE good (id int PRIMARY KEY, v text);
	CREATE TABLE checked (id int PRIMARY KEY, v int);
	CREATE TABLE lacking (id int PRIMARY KEY, v int);
	CREATE TABLE large (id int PRIMARY KEY, v int);
	CREATE TABLE share_a (id int PRIMARY KEY, v int);
	CREATE TABLE share_b (id int PRIMARY KEY, v int);
	INSERT INTO good SELECT i, 'x' FROM generate_series(1, 100) i;
	INSERT INTO checked SELECT i, i FROM generate_series(1, 100) i;
	INSERT INTO lacking SELECT i, i FROM generate_series(1, 100) i;
	INSERT INTO large SELECT i, i FROM generate_series(1, 100) i;
	INSERT INTO share_a VALUES (1, 1);
	INSERT INTO share_b VALUES (2, 2);
});
my @without_truncate = (operations => [qw(insert update delete)]);
my $overrides = [ map { { source => "public.$_", target => 'public.shared', @without_truncate } } qw(share_a share_b) ];
my $apply = { refused => 'hold', max_bytes => '64kB', memory => '16MB' };

# Targets that are copied into empty ones must hold every row; those that are shared need not.
$t->configure({ apply => $apply, tables => { exclude => ['public.share_*'] } });
$t->run_ok('run', '--until', 'current');

sub state_of
{
	my ($name) = @_;
	my ($table) = grep { $_->{source} eq "public.$name" } @{ $t->status->{tables} };
	return $table;
}

sub held_ok
{
	my ($name, $error) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($name)->{state} eq 'held' }, "$name is held");
	like(state_of($name)->{error}, $error, "$name: why");
}

# What `status` cannot show: the hold, and the position behind it, become visible in one moment.
sub stored
{
	my ($name, $column) = @_;
	return $t->destination_sql("SELECT $column FROM sluice.tables WHERE source_name = '$name'");
}

$t->destination_sql('ALTER TABLE checked ADD CHECK (v < 1000)');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'streaming');

subtest 'a refused row' => sub {
	$t->source_sql(q{BEGIN; UPDATE checked SET v = 5000 WHERE id = 7; UPDATE checked SET v = 8 WHERE id = 8;
		UPDATE good SET v = 'with it' WHERE id = 1; COMMIT});
	$t->wait_applied_ok('the others go on');
	$t->equal_ok('public.good');
	held_ok('checked', qr/\(7, 5000\).*"sluice table resync"/);
	like(stored('checked', 'hold_lsn'), qr{^[0-9A-F]+/[0-9A-F]+$}, 'and the LSN');
	$t->source_sql(q{UPDATE checked SET v = 9 WHERE id = 9; UPDATE good SET v = 'later' WHERE id = 2});
	$t->wait_applied_ok('later changes of a held table hold nothing back');
	$t->equal_ok('public.good');
};

subtest 'a row that the target lacks' => sub {
	$t->destination_sql('DELETE FROM lacking WHERE id = 5');
	$t->source_sql(q{BEGIN; DELETE FROM lacking WHERE id = 5; UPDATE good SET v = 'lacking' WHERE id = 3; COMMIT});
	$t->wait_applied_ok('the others go on');
	held_ok('lacking', qr/id = 5:/);
	is(stored('lacking', 'hold_key'), 'id = 5', 'with the key of the row');
	$t->equal_ok('public.good');
};

subtest 'in rounds of a large transaction' => sub {
	$t->destination_sql('ALTER TABLE large ADD CHECK (v < 100000)');
	$t->source_sql(q{BEGIN; INSERT INTO large SELECT i, i FROM generate_series(1001, 30000) i;
		INSERT INTO good SELECT i, repeat('y', 100) FROM generate_series(1001, 30000) i;
		INSERT INTO large VALUES (200000, 200000); COMMIT});
	$t->wait_applied_ok('the others go on');
	held_ok('large', qr/100000|check/i);
	$t->equal_ok('public.good');
	ok($t->running, 'in the same process');
};

subtest 'deferred to the COMMIT' => sub {
	plan skip_all => 'Greenplum has no deferred constraints that could be violated so' if $greenplum;
	$t->source_sql(q{CREATE TABLE late (id int PRIMARY KEY, v int); INSERT INTO late VALUES (1, 1)});
	$t->poll_ok(sub { ((state_of('late') // {})->{state} // '') eq 'streaming' }, 'a new table');
	$t->destination_sql(q{
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
			$$BEGIN RAISE check_violation USING MESSAGE = 'not at the end', SCHEMA = 'public', TABLE = 'late'; END$$;
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW EXECUTE FUNCTION refuse();
		ALTER TABLE late ENABLE ALWAYS TRIGGER refuse;
	});
	$t->source_sql(q{BEGIN; INSERT INTO late VALUES (2, 2); UPDATE good SET v = 'late' WHERE id = 4; COMMIT});
	$t->wait_applied_ok('the others go on');
	held_ok('late', qr/not at the end/);
	$t->equal_ok('public.good');
};

subtest 'the way back' => sub {
	$t->destination_sql('ALTER TABLE checked DROP CONSTRAINT checked_v_check');
	$t->run_ok('table', 'resync', 'public.checked', 'public.lacking');
	$t->poll_ok(sub { state_of('checked')->{state} eq 'streaming' && state_of('lacking')->{state} eq 'streaming' },
		'copied again');
	$t->wait_applied_ok('and followed');
	$t->equal_ok($_) for qw(public.checked public.lacking);
};
$t->stop;

$t->configure({ apply => $apply, initial_copy => { existing => 'append' }, tables => { overrides => $overrides } });
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.(?:large|late)/, 'copies what is new, and names what is held');
$t->start;
subtest 'all sources of one target' => sub {
	$t->destination_sql('ALTER TABLE shared ADD CHECK (v < 1000)');
	$t->source_sql('INSERT INTO share_a VALUES (10, 5000)');
	$t->wait_applied_ok('the others go on');
	held_ok('share_a', qr/10.*"sluice table remove"/s);
	held_ok('share_b', qr/10.*"sluice table remove"/s);
};
$t->stop;

# A target that may not be cleared.
subtest 'the remedy for the sources of one target' => sub {
	my @both = qw(public.share_a public.share_b);
	$t->fails_like([ 'table', 'resync', $both[0] ], 1, qr/cannot be cleared/, 'no resync');
	$t->source_sql('UPDATE share_a SET v = 10 WHERE id = 10');
	$t->run_ok('table', 'remove', @both);
	$t->destination_sql('DELETE FROM shared');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.(?:large|late)/, 'others are held');
	$t->run_ok('table', 'add', @both);
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.(?:large|late)/, 'others are held');
	is($t->destination_sql("SELECT string_agg(id || ' ' || v, ',' ORDER BY id) FROM shared"), '1 1,2 2,10 10', 'they are back');
	is(state_of($_)->{state}, 'streaming', "$_ follows") for qw(share_a share_b);
};

subtest 'until' => sub {
	$t->source_sql(q{UPDATE good SET v = 'until' WHERE id = 5});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.(?:large|late|share_a|share_b)/, 'names a held table');
	$t->equal_ok('public.good');
};

subtest 'stop is the default' => sub {
	$t->configure({ initial_copy => { existing => 'append' }, tables => { overrides => $overrides } });
	$t->destination_sql('DELETE FROM lacking WHERE id = 6');
	$t->source_sql('DELETE FROM lacking WHERE id = 6');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/lacking.*id = 6\b/, 'the run ends');
	is(state_of('lacking')->{state}, 'streaming', 'nothing is held');
};

# Without a running stream the others wait for the copy.
sub copy_with
{
	my ($refused) = @_;
	$t->configure({ task => "copy_$refused", apply => { %$apply, refused => $refused }, initial_copy => { existing => 'clear', jobs => 1 },
		tables => { include => [ 'public.first_good', 'public.first_large', 'public.first_bad' ] } });
}

subtest 'a row of the first copy' => sub {
	$t->source_sql(q{
		CREATE TABLE first_good (id int PRIMARY KEY, v int); INSERT INTO first_good SELECT i, i FROM generate_series(1, 100) i;
		CREATE TABLE first_large (id int PRIMARY KEY, v int); INSERT INTO first_large SELECT i, i FROM generate_series(1, 10000) i;
		CREATE TABLE first_bad (id int PRIMARY KEY, v int); INSERT INTO first_bad SELECT i, i FROM generate_series(1, 1000) i;
	});
	$t->destination_sql('CREATE TABLE first_bad (id int PRIMARY KEY, v int CHECK (v <> 700))');
	copy_with('stop');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying public\.first_bad: .*row with "id" = 700/, 'stop: the run ends');
	is(state_of('first_bad')->{state}, 'waiting', 'stop: nothing is held');
	$t->run_ok('drop');
	copy_with('hold');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.first_bad is held: .*row with "id" = 700.*"sluice table resync public\.first_bad" copies it again/, 'hold: the run names the table');
	$t->equal_ok("public.$_") for qw(first_good first_large);
	is($t->destination_sql('SELECT count(*) FROM first_bad'), 0, 'hold: its target is empty');
	$t->source_sql('UPDATE first_good SET v = 0; UPDATE first_bad SET v = 0 WHERE id = 700');
	$t->run_ok('table', 'resync', 'public.first_bad');
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok("public.$_") for qw(first_good first_large first_bad);
	$t->run_ok('drop');
};

done_testing();
