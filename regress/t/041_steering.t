#!/usr/bin/perl
# pause, resume, reload and stop: what the running daemon does when it is told.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run ();
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'v' || i FROM generate_series(1, 100) i;
	CREATE SCHEMA later;
	CREATE TABLE later.b (id int PRIMARY KEY, v text);
	INSERT INTO later.b VALUES (1, 'there before');
});
my $config = $t->configure;
my $socket = "$t->{spill}/sluice_test.sock";

sub rows { return $t->destination_sql('SELECT count(*) FROM a'); }

sub streaming
{
	my ($beyond) = @_;
	return $t->poll_ok(sub { my $times = () = $t->log =~ /streaming from/g; $times > $beyond }, 'it streams');
}

$t->fails_like([$_], 1, qr/no daemon of this task listens at "\Q$socket\E".*sluice status/, "$_ without a daemon")
  for qw(pause resume reload stop);

$t->start;
streaming(0);
is((stat $socket)[2] & 0777, 0600, 'the socket is for this user alone');

subtest 'pause' => sub {
	$t->source_sql("INSERT INTO a VALUES (101, 'before')");
	$t->wait_applied_ok;
	my $answer = $t->run_ok('pause');
	like($answer->{stdout}, qr{\Apaused at [0-9A-F]+/[0-9A-F]+\n\z}, 'it says where');
	my ($lsn) = $answer->{stdout} =~ m{(\S+/\S+)};
	is($t->destination_sql("SELECT applied_lsn = '$lsn' FROM sluice.progress"), 't', 'and that is durable');
	is($t->status->{phase}, 'paused', 'status shows it');
	my $walsender = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'sluice_test'";
	my $pid = $t->source_sql($walsender);

	# Two heartbeats, and enough changes for the socket to be full.
	$t->source_sql("INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1000, 9000) i");
	my $now = $t->source_sql('SELECT clock_timestamp()');
	$t->poll_ok(sub { $t->source_sql("SELECT reply_time > timestamptz '$now' + interval '2s' FROM pg_stat_replication WHERE pid = $pid") eq 't' }, 'the source is answered');
	is(rows(), 101, 'nothing is applied');
	is($t->destination_sql("SELECT applied_lsn = '$lsn' FROM sluice.progress"), 't', 'the position stands still');
	like($t->run_ok('pause')->{stdout}, qr/\Apaused at \Q$lsn\E$/, 'a second pause finds it so');
	is($t->source_sql($walsender), $pid, 'the connection stays');

	is($t->run_ok('resume')->{stdout}, "resumed\n", 'resume');
	$t->wait_applied_ok;
	is($t->status->{phase}, 'streaming', 'status shows it');
	$t->all_equal_ok('public.a');
	is($t->run_ok('resume')->{stdout}, "it was not paused\n", 'once more');
};

# A transaction that was begun is ended first: it is larger than memory, so a
# part of it is in the destination already.
subtest 'pause within a large transaction' => sub {
	$t->run_ok('stop');
	is($t->wait_for_end, 0, 'stop ends it with 0');
	$t->configure({ apply => { memory => '16MB', max_bytes => '1MB' } });
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE a IN EXCLUSIVE MODE');
	$t->start;
	streaming(0);
	$t->source_sql("INSERT INTO a SELECT i, md5(i::text) || repeat(md5(i::text), 20) FROM generate_series(10000, 60000) i");
	$t->poll_ok(sub {
		$t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'a'::regclass AND NOT granted") > 0;
	}, 'its first round is under way');
	my $pause = IPC::Run::start([ $t->program, 'pause', '-c', $t->{config} ], '>', \my $answer);
	SluiceTest::release($lock);
	ok($pause->finish, 'pause');
	like($answer, qr/\Apaused at/, 'and says where');
	is(rows(), $t->source_sql('SELECT count(*) FROM a'), 'all of it is there');
	$t->run_ok('resume');
};

subtest 'a pause outlasts a lost connection, and not the daemon' => sub {
	$t->run_ok('pause');
	$t->source_sql("INSERT INTO a VALUES (200000, 'during the pause')");
	my $before = rows();
	$t->source_sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'sluice_test'");
	streaming(1);
	like($t->run_ok('pause')->{stdout}, qr/\Apaused at/, 'still paused');
	is(rows(), $before, 'nothing was applied');
	is($t->run_ok('stop')->{stdout}, "stopped\n", 'stop');
	is($t->wait_for_end, 0, 'it has ended');
	ok(!-e $socket, 'the socket is gone');
	is($t->status->{phase}, 'stopped', 'status shows it');
	$t->configure;
	$t->start;
	$t->wait_applied_ok;
	is(rows(), $before + 1, 'the next daemon goes on');
};

# A second daemon is refused after a while, and the first is still reached.
my $second_config = $t->configure({}, 'second.yaml');
my $second = IPC::Run::start([ $t->program, 'run', '-c', $second_config ], '2>', \my $refusal);

subtest 'reload' => sub {
	$t->configure({ tables => { include => ['public.*', 'later.*'] } });
	is($t->run_ok('reload')->{stdout}, "reloaded\n", 'a larger selection');
	$t->poll_ok(sub {
		$t->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_schema = 'later' AND state = 'streaming'");
	}, 'what is new is copied');
	$t->source_sql("INSERT INTO later.b VALUES (2, 'new')");
	$t->wait_applied_ok;
	$t->all_equal_ok('public.a', 'later.b');

	$t->configure({ tables => { include => ['public.*', 'later.*'] }, operations => ['insert', 'nonsense'] });
	$t->fails_like(['reload'], 2, qr/nonsense/, 'a file that is wrong');
	$t->configure({ tables => { include => ['public.*', 'later.*', 'later.none'] } });
	$t->fails_like(['reload'], 1, qr/selection: later\.none: there is no such table/, 'a selection that a check refuses');
	$t->configure({ tables => { include => ['public.*', 'later.*'] }, source => { conninfo => $t->source_conninfo . ' connect_timeout=5' } });
	$t->fails_like(['reload'], 1, qr/source\.conninfo has changed.*start it again/, 'another source');
	$t->source_sql("INSERT INTO later.b VALUES (3, 'newer')");
	$t->wait_applied_ok;
	$t->all_equal_ok('later.b');
	$second->finish;
	like($refusal, qr/another sluice daemon runs task/, 'the second daemon has given up');
	is($t->run_ok('stop')->{stdout}, "stopped\n", 'stop');
	is($t->wait_for_end, 0, 'it has ended');
};

subtest 'a daemon that was killed leaves a socket behind' => sub {
	$t->configure({ tables => { include => ['public.*', 'later.*'] } });
	$t->start;
	streaming(0);
	$t->kill9;
	ok(-e $socket, 'it is there');
	$t->fails_like(['pause'], 1, qr/no daemon of this task/, 'nobody listens');
	$t->start;
	streaming(0);
	$t->run_ok('stop');
	is($t->wait_for_end, 0, 'the successor has its own');
};

subtest 'during the initial copy' => sub {
	$t->run_ok('drop');
	$t->configure({ initial_copy => { existing => 'clear' } });
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE a IN EXCLUSIVE MODE');
	$t->start;
	$t->poll_ok(sub { $t->log =~ /copying 1 table/ }, 'it copies');
	$t->fails_like(['pause'], 1, qr/the initial copy runs, which cannot be paused.*sluice stop/, 'pause');
	is($t->run_ok('reload')->{stdout}, "reloaded\n", 'reload of what has not changed');
	$t->configure({ initial_copy => { existing => 'clear', jobs => 2 } });
	$t->fails_like(['reload'], 1, qr/does not stream at the moment/, 'reload of what has');
	$t->fails_like([ 'table', 'add', 'later.b' ], 1, qr/does not stream at the moment/, 'table');
	is($t->run_ok('stop')->{stdout}, "stopped\n", 'stop');
	is($t->wait_for_end, 0, 'it has ended');
	SluiceTest::release($lock);
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok('public.a');
};

subtest 'without a place for the socket' => sub {
	my $long = "$t->{directory}/" . 'x' x 100;
	$t->configure({ apply => { spill_directory => $long } });
	$t->start;
	streaming(0);
	like($t->log, qr/longer than.*steer a running daemon cannot reach/, 'the daemon warns and works');
	$t->fails_like(['stop'], 1, qr/longer than .* bytes.*spill_directory/, 'the verb says what to do');
	is($t->stop, 0, 'a signal ends it');
};

done_testing();
