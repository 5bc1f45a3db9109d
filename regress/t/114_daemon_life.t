#!/usr/bin/perl
# The life of a daemon: what it does between two attempts, what it says of
# itself meanwhile, and what others may do to its task.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it is stopped');
my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, \'1\'), (2, \'2\')');
$t->configure({ log => { level => 'debug' } });
is($t->status->{phase}, 'new', 'a task that never ran is not stopped');

sub count_of { my ($pattern) = @_; my @found = $t->log =~ /$pattern/g; return scalar @found; }

sub streams_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, $name // 'it streams');
}

subtest 'a planned restart is no failure' => sub {
	$t->start;
	streams_ok;
	$t->source_sql(q{ALTER TABLE t ALTER v TYPE int USING v::int + 10; INSERT INTO t VALUES (3, 3)});
	$t->wait_applied_ok;
	$t->poll_ok(sub { $t->destination_sql("SELECT state FROM sluice.tables WHERE source_name = 't'") eq 'streaming' },
		'the rewritten table was copied again');
	$t->equal_ok('public.t');
	unlike($t->log, qr/trying again/, 'without a pause');
	like($t->log, qr/session: connecting -> preparing.*session: preparing -> copying.*session: copying -> streaming/s,
		'the trace names the states');
	like($t->log, qr/session: streaming -> connecting/, 'of the restart, too');
	like($t->log, qr/attempt: checking: done after \d+ ms.*attempt: streaming: failed after \d+ ms/s, 'and the steps of an attempt');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	like($t->log, qr/session: \w+ -> stopped/, 'which the trace says');
};

sub change { $t->source_sql("INSERT INTO t SELECT max(id) + 1, 7 FROM t"); }

# One of the daemon's sessions: the one that has the task's lock (0x736c7569), that renews the lease, or the other one.
sub session_of
{
	my ($what) = @_;
	return $t->destination_sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'sluice lease'") if $what eq 'lease';
	return $t->destination_sql("SELECT a.pid FROM pg_stat_activity a WHERE a.application_name = 'sluice' AND " . ($what eq 'lock' ? '' : 'NOT ')
		. "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.granted AND l.classid = 1936487785) LIMIT 1");
}

subtest 'sessions at the destination that are lost while the task is idle' => sub {
	$t->start;
	streams_ok;
	for my $what (qw(control lock lease))
	{
		my $pid = session_of($what);
		my $before = count_of('streaming from');
		$t->destination_sql("SELECT pg_terminate_backend($pid)");
		$t->poll_ok(sub { count_of('streaming from') > $before }, "$what: noticed without a change, and opened again");
		ok(session_of($_), "$what: there is a session again: $_") for qw(control lock lease);
	}
	$t->source_sql('CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)');
	$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_name = 'later' AND state = 'streaming'") },
		'a new table is taken in');
	$t->run_ok('table', 'resync', 'public.later');
	$t->poll_ok(sub { $t->log =~ /copied public\.later.*copied public\.later/s }, 'resync works');

	my $before = count_of('streaming from');
	$t->destination->restart;
	$t->poll_ok(sub { count_of('streaming from') > $before }, 'a restart of the destination is noticed at once');
	ok(session_of('lock'), 'and the lock taken again');
	change();
	$t->wait_applied_ok;
	$t->all_equal_ok('public.t', 'public.later');
};

subtest 'between two attempts' => sub {
	my $config = $t->{config};
	$t->source->stop('fast');
	$t->poll_ok(sub { $t->status->{phase} eq 'retrying' }, 'status says that it tries again');
	my $status = $t->status;
	like($status->{last_error}, qr/the source/, 'after what');
	ok($status->{phase_since}, 'since when');
	like($t->run_ok('status')->{stdout}, qr/^phase +retrying, for \d+ s$/m, 'the text, too');
	$t->fails_like([ 'drop', '--force' ], 1, qr/another sluice daemon runs task "test", on this host; "sluice stop" ends it/, 'drop');
	# As from another host.
	$t->configure({ apply => { spill_directory => $t->directory } }, 'elsewhere.yaml');
	$t->fails_like([ 'drop', '--force' ], 1, qr/another sluice daemon runs task "test"/, 'drop from another host');
	$t->{config} = $config;
	is($t->destination_sql('SELECT count(*) FROM sluice.progress'), 1, 'the row is still there');
	my $pid = session_of('lock');
	$t->destination_sql("SELECT pg_terminate_backend($pid)");
	$t->poll_ok(sub { my $now = session_of('lock'); $now && $now != $pid }, 'a lock that is lost meanwhile is taken again');
	$t->source->start;
	change();
	$t->wait_applied_ok('it goes on');
	is($t->status->{phase}, 'streaming', 'and status says so');

	$t->destination->stop('fast');
	$t->poll_ok(sub { $t->log =~ /trying again[^\n]*\n[^\n]*cannot connect to the destination/ || $t->log =~ /cannot connect to the destination/ }, 'the destination is away');
	$t->fails_like([ 'drop', '--force' ], 1, qr/another sluice daemon runs task "test", on this host/, 'drop without the destination');
	$t->destination->start;
	change();
	$t->wait_applied_ok('it goes on');
};

subtest 'a task that others have dropped under its daemon' => sub {
	$t->source->stop('fast');
	$t->poll_ok(sub { $t->status->{phase} eq 'retrying' }, 'it tries again');
	$t->destination_sql('DELETE FROM sluice.progress; DELETE FROM sluice.tables; DELETE FROM t WHERE id = 1');
	$t->source->start;
	is($t->wait_for_end, 1, 'the daemon ends with 1');
	like($t->log, qr/^sluice: the row of task "test" in sluice\.progress is gone: [^\n]*\n\z/m, 'and says why');
	is($t->destination_sql('SELECT count(*) FROM sluice.progress'), 0, 'it has not started the task over');
	is($t->destination_sql('SELECT count(*) FROM t WHERE id = 1'), 0, 'and not touched the target');
	is($t->status->{phase}, 'new', 'nothing is left of it');
};

done_testing();
