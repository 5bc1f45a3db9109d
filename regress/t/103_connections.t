#!/usr/bin/perl
# Connections that end, or end for one side only, servers that refuse or say
# nothing, signals in every phase, and two daemons of one task.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Proxy;
use Test::More;
use Time::HiRes qw(sleep time);

SluiceTest::needs_own_destination('its connections are tampered with');

my $t = SluiceTest->new;
my $source = Proxy->new($t->source_conninfo);
my $destination = Proxy->new($t->destination_conninfo);
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	INSERT INTO bag SELECT i % 3, NULLIF('b' || i % 2, 'b0') FROM generate_series(1, 1000) i;
});
my @tables = qw(public.keyed public.bag);

sub configure
{
	my (%changes) = @_;
	$t->configure({
		source => { conninfo => $source->conninfo . ' connect_timeout=2' },
		destination => { conninfo => $destination->conninfo . ' connect_timeout=2' },
		%changes });
}

my $round = 0;
sub change
{
	my $r = ++$round;
	$t->source_sql("
		BEGIN;
		INSERT INTO keyed VALUES (10000 + $r, 'new');
		UPDATE keyed SET v = v || '+' WHERE id % 50 = $r % 50;
		INSERT INTO bag SELECT $r % 5, NULL FROM generate_series(1, 3);
		DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE b IS NULL LIMIT 2);
		COMMIT;
	");
}

# Ends it by SIGTERM, which succeeds.
sub stops_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $began = time;
	is($t->stop, 0, "SIGTERM $name");
	note(sprintf 'it took %.1f s', time - $began);
}

sub says_ok
{
	my ($pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { $t->log =~ $pattern }, $name // "it says $pattern");
}

# ---- signals before there is anything

configure();
$source->welcome('stall');
$t->start;
$t->poll_ok(sub { $source->state->{links} > 0 }, 'it connects');
stops_ok('while a server does not answer to the first word');
$source->welcome('pass');

my $open = SluiceTest::hold($t->source_conninfo, 'INSERT INTO keyed VALUES (-1)');
$t->start;
says_ok(qr/making slot/);
$t->poll_ok(sub { $t->source_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event_type = 'Lock'") > 0 }, 'the slot waits');
$t->fails_like([ 'table', 'resync', 'public.keyed' ], 1, qr/the task does not stream at the moment/, 'a request while the slot waits');
stops_ok('while the slot waits for an open transaction');
ok(SluiceTest::poll(sub {
	$t->source_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'") == 0
}), 'the walsender does not go on alone');
is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), 0, 'and leaves no slot');
SluiceTest::release($open);

# ---- the initial copy

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE bag IN EXCLUSIVE MODE');
$t->start;
says_ok(qr/copied public\.keyed/);
stops_ok('while a copy waits for a lock');
SluiceTest::release($lock);

# A copy whose COMMIT is on its way for longer than its connection lasts: the session is ended, the next attempt
# neither waits for its locks nor copies on top of it.
for my $table ('bag', 'keyed')
{
	$t->run_ok('drop');
	$t->destination_sql('TRUNCATE keyed, bag');
	configure(tables => { include => ["public.$table"] });
	$destination->rule(match => Proxy::COMMIT, when => 'before', action => 'late');
	$t->start('--until', 'current');
	is($t->wait_for_end, 0, 'a COMMIT is late, and another attempt ends well');
	like($t->log, qr/copying.*trying again.*making slot/s, 'it copies again');
	$destination->deliver;
	$t->equal_ok("public.$table");
}
# Stopped on its way to a position, it has not come there.
$t->start('--until', 'FFFFFFFF/0');
says_ok(qr/streaming from/);
$t->signal('TERM');
is($t->wait_for_end, 1, 'a run that is stopped before --until fails');
like($t->log, qr{stopped before all up to FFFFFFFF/0 was applied; start it again; nothing is lost\.\n\z}, 'and says so');

configure();
$t->run_ok('drop');
$t->destination_sql('TRUNCATE keyed, bag');
$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE bag IN EXCLUSIVE MODE');

# The connections end while one table is copied and the other is not.
$t->start;
says_ok(qr/copied public\.keyed/);
$destination->cut;
says_ok(qr/trying again/);
says_ok(qr/trying again.*copying 1 table/s, 'the copy of the rest begins again');
SluiceTest::release($lock);
says_ok(qr/streaming from/);
$t->wait_applied_ok;
$t->all_equal_ok(@tables);

# ---- the stream

change();
$t->wait_applied_ok;
stops_ok('while nothing is going on');

$t->start;
says_ok(qr/streaming from/);
for (1 .. 12)
{
	change();
	my $where = rand() < 0.5 ? $t->source_conninfo : $t->destination_conninfo;
	SluiceTest::psql($where, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name LIKE 'sluice%' ORDER BY random() LIMIT 1");
	change();
	sleep rand 0.8;
}
$t->wait_applied_ok('it goes on after its sessions were ended');
$t->all_equal_ok(@tables);

# Only the program's side learns that the connection is gone: the sessions that
# stay behind hold the task's lock and the slot.
for my $proxy ($destination, $source)
{
	$proxy->half;
	change();
	$t->wait_applied_ok('it goes on after a connection ended on one side only');
}
$source->half;
$destination->half;
change();
$t->wait_applied_ok('and after all of them did');
$t->all_equal_ok(@tables);

# A walsender that is in the middle of sending when nobody reads any more says that it was told to end, to nobody.
$t->signal('STOP');
$t->source_sql("INSERT INTO keyed SELECT i, repeat(md5(i::text), 30) FROM generate_series(100001, 120000) i");
$t->poll_ok(sub { $t->source_sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND wait_event = 'WalSenderWriteData'") },
	'the walsender has more to send than is read');
$source->half;
$t->signal('CONT');
change();
$t->wait_applied_ok('it goes on after a walsender was left behind that cannot write');
$t->source_sql('DELETE FROM keyed WHERE id > 100000');
$t->wait_applied_ok;
$t->all_equal_ok(@tables);

# The task's lock is taken and passed on by sessions that may be left behind with it, or waiting for it.
for my $statement ('pg_try_advisory_lock', 'pg_advisory_lock', 'pg_advisory_unlock')
{
	for my $when ('before', 'after')
	{
		$destination->rule(match => $statement, when => $when, action => 'half');
		if ($statement =~ /try/) { $destination->half } else { $source->cut }
		change();
		$t->wait_applied_ok("it goes on after a session was left behind: $statement, $when");
		ok($destination->fired, 'it was');
	}
}
$t->all_equal_ok(@tables);

# A server that takes no more sessions may have lost its postmaster, and is not started again before all sessions are gone.
$destination->welcome('refuse');
$t->destination_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' LIMIT 1");
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'") == 0 },
	'no session stays at a destination that takes no further one');
$destination->welcome('pass');
change();
$t->wait_applied_ok('it goes on when the destination takes sessions');
$t->all_equal_ok(@tables);

# So may a segment of Greenplum, which shows when a session from before reads from it.  Planning evaluates the index's condition.
$t->destination_sql(q{
	BEGIN;
	CREATE TABLE lost (segment int);
	CREATE FUNCTION reaches_segment() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
		BEGIN IF EXISTS (SELECT FROM public.lost) THEN RAISE 'no segment' USING ERRCODE = '58M01'; END IF; RETURN true; END $$;
	CREATE INDEX on_segment ON sluice.progress (task) WHERE public.reaches_segment();
	INSERT INTO lost VALUES (1);
	COMMIT;
});
$source->cut;
$t->poll_ok(sub { $t->log =~ /no segment.*trying again/ }, 'a segment is lost');
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'") == 0 },
	'no session stays at a segment that takes no further one');
$t->destination_sql('DROP INDEX sluice.on_segment');
change();
$t->wait_applied_ok('it goes on when the segment takes sessions');
$t->all_equal_ok(@tables);

# What was committed, but not said to be, is not applied again: bag would show.
for my $action (qw(cut half))
{
	$destination->rule(match => Proxy::COMMIT, when => 'after', action => $action);
	change();
	$t->wait_applied_ok("the answer to a COMMIT is lost ($action)");
	ok($destination->fired, 'it was');
}
$t->all_equal_ok(@tables);

# One that is late is not waited for: its session is ended.
$destination->rule(match => Proxy::COMMIT, when => 'before', action => 'late');
change();
$t->wait_applied_ok('a COMMIT is late');
$destination->deliver;
change();
$t->wait_applied_ok;
$t->all_equal_ok(@tables);

# ---- two daemons

my $epoch = $t->destination_sql('SELECT epoch FROM sluice.progress');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/another sluice daemon runs task "test".*process \d+/,
	'a second daemon');
is($t->destination_sql('SELECT epoch FROM sluice.progress'), $epoch, 'the first is not disturbed');
change();
$t->wait_applied_ok;

# A daemon that was away while another took its place must not write any more.
$t->signal('STOP');
for my $conninfo ($t->source_conninfo, $t->destination_conninfo)
{
	SluiceTest::psql($conninfo,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'");
}
change();
$t->run_ok('run', '--until', 'current');
change();
$t->signal('CONT');
is($t->wait_for_end, 1, 'it ends when it finds that another one has gone on');
like($t->log, qr/another daemon of task test has taken over[^\n]*\n\z/, 'and says so');
$t->start;
$t->wait_applied_ok('a start goes on');
$t->all_equal_ok(@tables);

# The same for one whose session lives on: the epoch tells.
$t->destination_sql('UPDATE sluice.progress SET epoch = epoch + 1');
my $rows = $t->destination_sql('SELECT count(*) FROM keyed');
change();
is($t->wait_for_end, 1, 'a daemon that another has replaced ends');
like($t->log, qr/another daemon of task test has taken over[^\n]*\n\z/, 'and says why');
is($t->destination_sql('SELECT count(*) FROM keyed'), $rows, 'without having applied anything');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

# ---- a batch that cannot be finished, and a second signal

$t->start;
says_ok(qr/streaming from/);
$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE keyed IN EXCLUSIVE MODE');
change();
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_locks WHERE NOT granted") > 0 }, 'the batch waits');
$t->signal('TERM');
says_ok(qr/stopping/);
ok($t->running, 'a first signal waits for the current batch');
$t->signal('TERM');
is($t->wait_for_end, 0, 'a second one does not');
SluiceTest::release($lock);
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

# ---- giving up

configure(retry => { duration => '2s' });
$t->start;
says_ok(qr/streaming from/);
$destination->welcome('refuse');
$destination->cut;
change();
is($t->wait_for_end, 1, 'it gives up after retry.duration');
like($t->log, qr/gave up after trying for 2 s: cannot connect to the destination: [^\n]*\n\z/, 'and says why');
$destination->welcome('pass');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

done_testing();
