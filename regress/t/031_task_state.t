#!/usr/bin/perl
# Slot, progress row and source must belong together: whatever was done to one
# of them behind the program's back, run refuses at every start, and says what.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text);
	CREATE TABLE b (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 100) i;
});
my $config = { initial_copy => { existing => 'clear' } };
$t->configure($config);
$t->run_ok('run', '--until', 'current');

sub refuses
{
	my ($pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = $t->destination_sql('SELECT applied_lsn FROM sluice.progress');
	$t->fails_like([ 'check' ], 3, $pattern, "check: $name");
	# A task that has worked once does not end with 3.
	my $status = $t->destination_sql('SELECT count(*) FROM sluice.progress') ? 1 : 3;
	$t->fails_like([ 'run' ], $status, $pattern, "run: $name");
	$t->fails_like([ 'run' ], $status, $pattern, "run, again: $name");
	is($t->destination_sql('SELECT applied_lsn FROM sluice.progress'), $before, "$name: nothing is changed");
}

# drop makes a fresh start possible.
sub starts_afresh
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->run_ok('drop');
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(qw(public.a public.b));
}

subtest 'a look at the slot does no harm' => sub {
	$t->source_sql(q{INSERT INTO a VALUES (101, 'seen')});
	like($t->source_sql(q{SELECT data FROM pg_logical_slot_peek_changes('sluice_test', NULL, NULL, 'format', 'text')}),
		qr/seen/, 'the change is seen');
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok('public.a');
};

subtest 'the slot was moved' => sub {
	$t->source_sql(q{INSERT INTO a VALUES (102, 'lost')});
	$t->source_sql(q{SELECT pg_replication_slot_advance('sluice_test', pg_current_wal_lsn())});
	refuses(qr/slot: sluice_test: it was moved .* lost; "sluice drop"/, 'moved');
	starts_afresh();
};

subtest 'the slot was dropped' => sub {
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});
	refuses(qr/slot: sluice_test: it is gone: the changes after .* are lost/, 'dropped');
	$t->source_sql(q{INSERT INTO a VALUES (103, 'lost')});
	$t->source_sql(q{SELECT pg_create_logical_replication_slot('sluice_test', 'sluice')});
	refuses(qr/slot: sluice_test: it was moved or recreated by others/, 'recreated');
	starts_afresh();
};

subtest 'the progress row was deleted' => sub {
	$t->destination_sql(q{DELETE FROM sluice.progress});
	refuses(qr/slot: sluice_test: it exists, but the destination has no progress of task "test"/, 'no row');
	starts_afresh();
};

subtest 'another source' => sub {
	my $saved = $t->destination_sql(q{SELECT source_system FROM sluice.progress});
	$t->destination_sql(q{UPDATE sluice.progress SET source_system = '1'});
	refuses(qr/this is another source: its system identifier is $saved, the task's is 1/, 'another system');
	$t->destination_sql(qq{UPDATE sluice.progress SET source_system = '$saved', source_database = 'other'});
	refuses(qr/this is another database: "shop", the task's is "other"/, 'another database');
	$t->destination_sql(q{UPDATE sluice.progress SET source_database = 'shop', source_timeline = 7});
	refuses(qr/from timeline 7 to 1/, 'another timeline');
	$t->destination_sql(q{UPDATE sluice.progress SET source_timeline = 1});
	my $lsn = $t->destination_sql(q{SELECT applied_lsn FROM sluice.progress});
	$t->destination_sql(q{UPDATE sluice.progress SET applied_lsn = 'FF/0'});
	refuses(qr{the destination is at FF/0, ahead of the source}, 'ahead of the source');
	$t->destination_sql(qq{UPDATE sluice.progress SET applied_lsn = '$lsn'});
	$t->run_ok('run', '--until', 'current');
};

subtest 'another slot in the configuration' => sub {
	$t->configure({ %$config, source => { slot => 'other' } });
	refuses(qr/slot: other: the task's slot is "sluice_test"/, 'another name');
	$t->configure($config);
};

subtest 'the slot is in use' => sub {
	$t->start;
	$t->poll_ok(sub { $t->source_sql(q{SELECT active FROM pg_replication_slots}) eq 't' }, 'the daemon streams');
	like($t->run_ok('check')->{stdout}, qr/^ok .*the task's daemon reads it/m, 'check while the daemon runs');
	is($t->stop, 0, 'stopped');

	my $reader = IPC::Run::start([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'sluice_test', '--start',
		'-f', "$t->{directory}/capture" ], '>', \my $out, '2>', \my $err);
	$t->poll_ok(sub { $t->source_sql(q{SELECT active FROM pg_replication_slots}) eq 't' }, 'somebody else reads it');
	$t->fails_like([ 'run' ], 1, qr/slot: sluice_test: it is in use by process \d+ of the source/, 'run: in use');
	$reader->signal('INT');
	$reader->finish;
	$t->poll_ok(sub { $t->source_sql(q{SELECT active FROM pg_replication_slots}) eq 'f' }, 'nobody reads it any more');
	# It may have confirmed what it received.
	starts_afresh();
};

subtest 'tables that are not the same any more' => sub {
	$t->source_sql(q{DROP TABLE b; CREATE TABLE b (id int PRIMARY KEY, v text); INSERT INTO b VALUES (1, 'new')});
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(qw(public.a public.b));

	$t->source_sql(q{ALTER TABLE b RENAME TO c});
	$t->run_ok('check');
	$t->source_sql(q{ALTER TABLE c RENAME TO b});
	$t->run_ok('check');
};

subtest 'tables that are not among them any more' => sub {
	my $rows = q{SELECT string_agg(source_name, ',' ORDER BY source_name) FROM sluice.tables WHERE state <> 'dropped'};
	$t->source_sql(q{CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone VALUES (1)});
	$t->run_ok('run', '--until', 'current');
	is($t->destination_sql($rows), 'a,b,gone', 'three tables');

	# What was left out need not be followed either.
	$t->source_sql(q{ALTER TABLE b REPLICA IDENTITY NOTHING; UPDATE b SET v = 'not followed'; INSERT INTO a VALUES (201, 'followed')});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.b is held: it has lost its replica identity/, 'one that cannot be followed');
	$t->configure({ %$config, tables => { include => ['public.*'], exclude => ['public.b'] } });
	like($t->run_ok('check')->{stdout}, qr/^warning +state +public\.b: .* run will forget it/m, 'check says what run will do');
	is($t->destination_sql($rows), 'a,b,gone', 'and does not do it');
	like($t->run_ok('run', '--until', 'current')->{stderr}, qr/info +public\.b is not among the selected tables any more: forgotten, its target stays as it is/, 'run says what it does');
	is($t->destination_sql($rows), 'a,gone', 'it is forgotten');
	is($t->destination_sql(q{SELECT string_agg(v, ',') FROM b}), 'new', 'its target stays');
	$t->equal_ok('public.a');

	$t->source_sql(q{INSERT INTO gone VALUES (2); DROP TABLE gone; INSERT INTO a VALUES (202, 'followed')});
	like($t->run_ok('run', '--until', 'current')->{stderr}, qr/warning +public\.gone was dropped at the source: forgotten, its target stays as it is/, 'one that was dropped');
	is($t->destination_sql($rows), 'a', 'it is forgotten, too');
	$t->equal_ok('public.a');

	# Selected again it is a new one.
	$t->source_sql(q{ALTER TABLE b REPLICA IDENTITY DEFAULT});
	$t->configure($config);
	$t->run_ok('run', '--until', 'current');
	is($t->destination_sql($rows), 'a,b', 'selected again');
	$t->all_equal_ok(qw(public.a public.b));
};

subtest 'tables that are selected otherwise than they were copied' => sub {
	my $select = sub { $t->configure({ %$config, tables => { include => ['public.*'], overrides => [ { source => 'public.a', @_ } ] } }) };
	for my $other ([ where => 'id > 5' ], [ columns => ['id'] ], [ rename => [ { from => 'v', to => 'w' } ] ], [ target => 'public.elsewhere' ])
	{
		$select->(@$other);
		$t->fails_like([ 'check' ], 3, qr/table public\.a was copied into public\.a \(all\), the configuration says public\.(a \(\w+ .*\)|elsewhere \(all\)) now; take the change back/, "another $other->[0]");
	}
	$t->configure($config);
	$t->run_ok('run', '--until', 'current');

	# Copied again it is as the configuration says.
	$select->(where => 'id > 150', columns => [qw(v id)]);
	$t->destination_sql(q{DELETE FROM sluice.tables WHERE source_name = 'a'});
	$t->run_ok('run', '--until', 'current');
	is($t->destination_sql('SELECT count(*) FROM a'), $t->source_sql('SELECT count(*) FROM a WHERE id > 150'), 'copied again');
	$select->(where => 'id > 150', columns => [qw(id v)]);
	$t->run_ok('check');
	# Defined otherwise it is still what was selected.
	$t->both_sql('ALTER TABLE b ADD COLUMN w int');
	$t->run_ok('check');
};

done_testing();
