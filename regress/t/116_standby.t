#!/usr/bin/perl
# Two hosts, one task: run --standby waits while another daemon has the task, and takes over when that one ends or is
# killed.  What it shows of itself, and what can be asked of it, meanwhile.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Hosts;
use Proxy;
use JSON::PP;
use Test::More;

my $t = SluiceTest->new(source => { tcp => 1 });
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	INSERT INTO bag SELECT i % 3, 'b' FROM generate_series(1, 100) i;
});
my @tables = qw(public.keyed public.bag);
my %port;
my $hosts = Hosts->new($t);
my @hosts = map { host($_) } qw(a b);

sub host
{
	my ($name) = @_;
	$port{$name} = PostgreSQL::Test::Cluster::get_free_port();
	my $host = $hosts->host($name, { http => { listen => "127.0.0.1:$port{$name}" } });
	$host->{port} = $port{$name};
	return $host;
}

sub get { my ($host, $path) = @_; return join ' ', SluiceTest::http_get($host->{port}, $path); }

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

# ---- both start at once

$_->start('--standby') for @hosts;
$t->poll_ok(sub { (Hosts::holder_of(@hosts))[0] }, 'one of two that start at once has the task');
my ($holder, $standby) = Hosts::holder_of(@hosts);
$standby->poll_ok(sub { $standby->log =~ /standby: the task is run by host \S+, process $holder->{pid},/ }, 'the other one says who has it');
change();
$t->wait_applied_ok;
$t->all_equal_ok(@tables);

subtest 'what is shown' => sub {
	my $status = $t->poll_ok(sub { my $s = $holder->status; @{ $s->{standbys} // [] } && $s }, 'status knows of a standby');
	is($status->{phase}, 'streaming', 'the phase is the task\'s');
	is($status->{holder}{pid}, $holder->{pid}, 'the holder');
	like($status->{holder}{host}, qr/\S/, 'its host');
	like($status->{holder}{since}, qr/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, 'since when');
	is($status->{standbys}[0]{pid}, $standby->{pid}, 'the standby');
	my $text = $standby->run_ok('status')->{stdout};
	like($text, qr/^holder +host \S+, process $holder->{pid}, since \d{4}-.*, lease renewed \d+ s ago$/m, 'as text');
	like($text, qr/^standby +host \S+, process $standby->{pid}, since \d{4}-/m, 'the standby, too');
	is(decode_json(get($standby, '/status') =~ s/^200 //r)->{phase}, 'standby', 'its own HTTP status');
	is(decode_json(get($standby, '/status') =~ s/^200 //r)->{holder}{pid}, $holder->{pid}, 'who has the task');
	is(get($standby, '/healthz'), "200 ok\n", 'it lives');
	like(get($standby, '/readyz'), qr/^503 standby/, 'and is not ready');
	like(get($standby, '/metrics'), qr/^sluice_phase\{[^}]*phase="standby"\} 1$/m, 'metrics');
};

subtest 'what it can be asked' => sub {
	for my $verb ([ 'pause' ], [ 'resume' ], [ 'table', 'resync', 'public.keyed' ])
	{
		$standby->fails_like($verb, 1, qr/this daemon is a standby, which applies nothing/, $verb->[0]);
	}
	my $config = SluiceTest::_slurp($standby->{config});
	$standby->configure($config =~ s/^tables:\n/tables:\n  exclude: [public.not_there]\n/mr);
	like($standby->run_ok('reload')->{stdout}, qr/^reloaded$/m, 'reload');
	$standby->poll_ok(sub { $standby->log =~ /configuration was read again.*standby: the task is run by/s }, 'it goes on as a standby');
	$standby->configure("$config\nunknown: 1\n");
	$standby->fails_like([ 'reload' ], 2, qr/unknown/, 'reload of a wrong configuration');
	$standby->configure($config);
	$standby->fails_like([ 'drop' ], 1, qr/another sluice daemon runs task "test"/, 'drop while the holder lives');
	$standby->fails_like([ 'run', '--standby', '--until', 'current' ], 2, qr/--standby is for a run that goes on/, '--until');
	my $second = $hosts->host('second');
	$second->fails_like([ 'run' ], 1, qr/another sluice daemon runs task "test".*--standby/, 'a daemon that is not to stand by');
	my $refused = $hosts->host('refused', { source => { conninfo => $t->source_conninfo =~ s/user=\S+/user=nobody/r } });
	$refused->fails_like([ 'run', '--standby' ], 1, qr/role "nobody" does not exist/, 'a login that would fail at the takeover');

	my ($slot, $reader) = split /\|/, $t->source_sql('SELECT slot_name, active_pid FROM pg_replication_slots WHERE active');
	my $crossed = Hosts->new($t, { task => 'crossed', source => { slot => $slot } })->host('crossed');
	$crossed->fails_like([ 'run', '--standby' ], 3, qr/it is in use by process $reader/, 'another task with the slot of this one');
	is($t->source_sql('SELECT active_pid FROM pg_replication_slots WHERE active'), $reader, 'which goes on reading it');
};

# Each loss comes later than retry.duration after the one before: it is a trouble of its own.
my $lasting = $hosts->host('lasting', { retry => { duration => '300ms' } });
$lasting->start('--standby');
for my $time (1 .. 4)
{
	$lasting->poll_ok(sub { (() = $lasting->log =~ /standby: the task is run by/g) == $time }, "a standby stands by, time $time");
	SluiceTest::psql($t->destination_conninfo, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice standby $lasting->{pid}\@%'") if $time < 4;
}
is($lasting->stop, 0, 'a standby outlives that it loses the destination again and again');

# ---- kill -9

change();
$holder->kill9;
change();
$standby->poll_ok(sub { $standby->log =~ /the task is free: taking over.*streaming from/s }, 'kill -9: the standby takes over');
$t->wait_applied_ok;
$t->all_equal_ok(@tables);
is($standby->status->{holder}{pid}, $standby->{pid}, 'it is the holder now');

# ---- a stop of the holder, of the standby

($holder, $standby) = ($standby, $holder);
$standby->start('--standby');
$standby->poll_ok(sub { $standby->log =~ /standby: the task is run by host \S+, process $holder->{pid},/ }, 'it waits in turn');
$holder->run_ok('stop');
is($holder->wait_for_end, 0, 'the holder is stopped');
$standby->poll_ok(sub { $standby->log =~ /streaming from/ }, 'the standby takes over');
change();
$t->wait_applied_ok;
$t->all_equal_ok(@tables);

$holder->start('--standby');
$holder->poll_ok(sub { $holder->log =~ /standby: the task is run by/ }, 'a standby');
is($holder->stop, 0, 'is stopped by SIGTERM');
$holder->start('--standby');
$holder->poll_ok(sub { $holder->log =~ /standby: the task is run by/ }, 'and once more');
# The holder ends by a verb that the standby is to have no say in.
$standby->run_ok('pause');
$standby->signal('STOP');
SluiceTest::psql($t->destination_conninfo, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('sluice', 'sluice lease') AND datname = current_database()");
$holder->poll_ok(sub { $holder->log =~ /streaming from/ }, 'the standby takes over where the sessions of the holder are gone');
$standby->signal('CONT');
$standby->poll_ok(sub { $standby->log =~ /another daemon of task test has taken over.*waiting as its standby.*standby: the task is run by/s },
	'the daemon that has lost the task says so, and is its standby');
$holder->fails_like([ 'drop' ], 1, qr/another sluice daemon runs task "test"/, 'drop');
is($holder->stop, 0, 'stop');
$standby->poll_ok(sub { $standby->log =~ /taking over.*streaming from/s }, 'and back');
change();
$t->wait_applied_ok('the pause of its time before is over');
$t->all_equal_ok(@tables);
# The lock is another session's here; a daemon that is frozen in a change of a definition may have such locks, too.
my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE sluice.tables IN ACCESS EXCLUSIVE MODE');
{
	local $ENV{SLUICE_TEST_TRIAL} = 500;
	$holder->start('--standby');
}
$holder->poll_ok(sub { $holder->log =~ /standby: taking over would fail: .*statement timeout/ }, 'the first trial does not wait for a lock for ever, and the standby goes on');
SluiceTest::release($lock);
is($holder->stop, 0, 'stop');
is($standby->stop, 0, 'stop');
like($t->destination_sql('SELECT coalesce(lease_until::text, \'none\') FROM sluice.progress'), qr/^none$/, 'a daemon that ends in order leaves no lease');

# ---- a claim between another one's reading and its claim

my $held = SluiceTest::hold($t->destination_conninfo, 'UPDATE sluice.progress SET epoch = epoch + 1');
$holder->start;
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE sluice.progress SET epoch%lease%' AND state = 'active'") > 0 },
	'a claim waits for another one');
${ $held->{in} } .= "COMMIT;\n";
SluiceTest::release($held);
is($holder->wait_for_end, 1, 'one of them fails');
like($holder->log, qr/another daemon of task test has taken over/, 'and says why');

# ---- a batch of a session that is gone, which is committed only now

$t->source_sql("INSERT INTO bag VALUES (815, 'once')");
my $lsn = $t->source_sql('SELECT pg_current_wal_insert_lsn()');
my $left = SluiceTest::hold($t->destination_conninfo, "INSERT INTO bag VALUES (815, 'once'); UPDATE sluice.progress SET applied_lsn = '$lsn'");
$holder->start;
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'UPDATE sluice.progress SET epoch%lease%' AND state = 'active'") > 0 },
	'a claim waits for a transaction that stores a later position');
${ $left->{in} } .= "COMMIT;\n";
SluiceTest::release($left);
$holder->poll_ok(sub { $holder->log =~ /streaming from/ }, 'it goes on');
change();
$t->wait_applied_ok;
$t->all_equal_ok(@tables);
is($holder->stop, 0, 'stop');

# ---- between two attempts, through a pooler

SKIP:
{
	skip 'it needs a destination of its own', 1 if SluiceTest::destination_is_external();
	my $proxy = Proxy->new($t->destination_conninfo, pooler => 1);
	my $first = $hosts->host('first', { destination => { conninfo => $proxy->conninfo } });
	my $second = $hosts->host('other');
	$first->start('--standby');
	$first->poll_ok(sub { $first->log =~ /streaming from/ }, 'process ids of a pooler: it streams');
	$second->start('--standby');
	$second->poll_ok(sub { $second->log =~ /standby: the task is run by/ }, 'its standby waits');
	my $again = sub {
		my ($times) = @_;
		return sub { (() = $first->log =~ /streaming from/g) == $times };
	};
	my $reads = sub { $t->destination_sql("SELECT query_start FROM pg_stat_activity WHERE application_name LIKE 'sluice standby%'") };
	my $config = SluiceTest::_slurp($first->{config});

	$proxy->rule(match => 'SELECT pg_advisory_lock\(', when => 'before', action => 'stall');
	$first->configure($config =~ s/^tables:\n/tables:\n  exclude: [public.not_there]\n/mr);
	$first->signal('HUP');
	$first->poll_ok(sub { $proxy->fired }, 'the session that is to get the lock is slow to ask for it');
	for my $time (1 .. 3)
	{
		my $seen = $reads->();
		$second->poll_ok(sub { $reads->() ne $seen }, 'the standby looks for the lock');
	}
	unlike($second->log, qr/taking over/, 'which is held all the time');
	$proxy->resume;
	$first->poll_ok($again->(2), 'the next attempt');

	$proxy->rule(match => 'SELECT pg_catalog.pg_advisory_lock_shared', when => 'before', action => 'stall', nth => 2);
	$first->configure($config);
	$first->signal('HUP');
	$first->poll_ok(sub { $proxy->fired }, 'the session of the lease is about to join the writers');
	$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice lease'") == 1 }, 'it has taken the place of the one before');
	$proxy->resume;
	$first->poll_ok($again->(3), 'the next attempt');
	unlike($second->log, qr/taking over/, 'no takeover');
	change();
	$t->wait_applied_ok;
	$t->all_equal_ok(@tables);
	is($second->stop, 0, 'stop of the standby');
	is($first->stop, 0, 'stop of the holder');
}

done_testing();
