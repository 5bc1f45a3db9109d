#!/usr/bin/perl
# A destination that fails in each phase of a batch, of a copy, and of what runs at the same time.  The phase is held by a proxy
# while FAULT_COMMAND breaks the destination, as in the campaign of faults; what it breaks is known to it alone.  After
# its repair everything goes on by itself, and nothing is lost or doubled; at no time does a reader see half a transaction.
#
#	DESTINATION='conninfo'  FAULT_COMMAND='command'	as for make faults
#	SLUICE_TEST_FAULTS='0 4 17'	the numbers with which FAULT_COMMAND is called in each phase; one by chance
#	SLUICE_TEST_PHASES='COMMIT'	a pattern of the phases to try
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Hosts;
use Proxy;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs a destination and a FAULT_COMMAND that breaks it' unless SluiceTest::destination_is_external() && $ENV{FAULT_COMMAND};

my @numbers = split ' ', $ENV{SLUICE_TEST_FAULTS} // '';
my $phases = $ENV{SLUICE_TEST_PHASES} // '';
my $patience = $ENV{FAULTS_PATIENCE} // 300;
my @tables = qw(public.accounts public.vault public.tick public.keyed public.bag);
my $t = SluiceTest->new(task => 'cluster');
my $destination = Proxy->new($t->destination_conninfo);
my $source = Proxy->new($t->source_conninfo);
my $greenplum = $t->destination_is_greenplum;
my $task = $t->{task};

$t->source_sql(q{
	CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
	CREATE TABLE vault (id int PRIMARY KEY, balance int NOT NULL);
	CREATE TABLE tick (id int PRIMARY KEY, n bigint NOT NULL);
	CREATE TABLE keyed (id int PRIMARY KEY, v text, n int);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO accounts SELECT i, 100 FROM generate_series(1, 100) i;
	INSERT INTO vault SELECT i, 100 FROM generate_series(1, 100) i;
	INSERT INTO tick VALUES (1, 0);
	INSERT INTO keyed SELECT i, repeat('v', 100), i FROM generate_series(1, 6000) i;
	INSERT INTO bag SELECT i % 7, 'b' || i % 3 FROM generate_series(1, 300) i;
});
# A statement that changes a row to "slow" takes its time.
my $distributed = $greenplum ? 'DISTRIBUTED BY (id)' : '';
$t->destination_sql(qq{
	CREATE FUNCTION slow(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS \$\$
		BEGIN IF v = 'slow' THEN PERFORM pg_catalog.pg_sleep(2); END IF; RETURN true; END \$\$;
	CREATE TABLE keyed (id int PRIMARY KEY, v text CHECK (public.slow(v)), n int) $distributed;
});

my $hosts = Hosts->new($t, {
	source => { conninfo => $source->conninfo },
	destination => { conninfo => $destination->conninfo . ' connect_timeout=10' },
	apply => { max_delay => '50ms' },
	initial_copy => { jobs => 2, part => '64kB', existing => 'clear' },
	retry => { duration => "${patience}s" },
});
my ($first, $second, $reading) = map { $hosts->host($_) } qw(first second reading);
my $daemon = $first;	# the one that has the task

# ---- traffic

# Transactions of every kind; half of one, or one twice, would show.
my $round = 0;
sub change
{
	my ($v) = @_;
	my $r = ++$round;
	$v //= "v$r";
	$t->source_sql("
		BEGIN;
		UPDATE accounts SET balance = balance - $r WHERE id = 1 + $r % 100;
		UPDATE vault SET balance = balance + $r WHERE id = 1 + $r * 7 % 100;
		UPDATE tick SET n = n + 1;
		UPDATE keyed SET v = repeat('w', 90) || '$r' WHERE id % 2 = $r % 2;
		UPDATE keyed SET v = '$v' WHERE abs(id) = 7;
		UPDATE keyed SET id = -id WHERE abs(id) % 500 = $r % 500;
		INSERT INTO bag SELECT $r % 5, NULL FROM generate_series(1, 3);
		DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE b IS NULL LIMIT 2);
		COMMIT;
		BEGIN;
		UPDATE vault SET balance = balance - 1 WHERE id = 2;
		UPDATE accounts SET balance = balance + 1 WHERE id = 3;
		INSERT INTO bag VALUES (1000 + $r, 'once');
		UPDATE tick SET n = n + 1;
		COMMIT;
	");
}

# ---- a reader of the destination, at all times

my $seen = $t->directory . '/seen';
my $reader = start_reader();
my ($offset, $last_lsn, $last_tick, $times) = (0, 0, 0, 0);

sub start_reader
{
	open my $file, '>', "$seen.sql" or die "cannot write: $!";
	print $file "SELECT 'seen', (SELECT count(*) FROM sluice.tables WHERE task = '$task' AND source_name IN ('accounts', 'vault', 'tick') AND state = 'streaming'),
		(SELECT sum(balance) FROM accounts) + (SELECT sum(balance) FROM vault), (SELECT n FROM tick), (SELECT applied_lsn FROM sluice.progress WHERE task = '$task')\n\\watch 0.03\n";
	close $file;
	open $file, '>', $seen;
	defined(my $pid = fork) or die "cannot fork: $!";
	return $pid if $pid;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
	open STDIN, '<', '/dev/null';
	open STDOUT, '>>', $seen;
	open STDERR, '>', '/dev/null';
	setpgrp;
	while (getppid() != 1)
	{
		system 'psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $t->destination_conninfo . ' connect_timeout=10', '-f', "$seen.sql";
		sleep 0.1;
	}
	POSIX::_exit(0);
}

END { my $status = $?; kill 'KILL', -$reader if $reader; $? = $status; }

sub lsn { my ($high, $low) = split m{/}, $_[0]; return hex($high) * 2**32 + hex $low; }

# What it has seen that must not be, since the last time.
sub read_wrong
{
	my @wrong;
	open my $file, '<', $seen or die "cannot read: $!";
	seek $file, $offset, 0;
	while (my $line = <$file>)
	{
		last unless $line =~ /\n\z/;
		$offset = tell $file;
		my ($mark, $streaming, $sum, $tick, $lsn) = split /\|/, $line =~ s/\n//r;
		next unless ($mark // '') eq 'seen' && ($lsn // '') ne '';
		push @wrong, "the position went back: $line" if lsn($lsn) < $last_lsn;
		$last_lsn = lsn($lsn);
		next unless $streaming == 3;
		$times++;
		push @wrong, "half a transaction: $line" if $sum != 20000;
		push @wrong, "an earlier transaction after a later one: $line" if $tick < $last_tick;
		$last_tick = $tick;
	}
	return @wrong;
}

# The task is to begin again, and with it the position.
sub forget
{
	$daemon->stop;
	my $result = $daemon->sluice('drop');
	die "drop failed: $result->{stderr}" if $result->{status};
	read_wrong();
	$last_lsn = 0;
}

# ---- phases

# Each brings the work to its phase and holds it there; what it returns lets it go on.
sub held
{
	my ($match, $when, $nth, $work) = @_;
	$destination->rule(match => $match, when => $when, action => 'stall', nth => $nth);
	$work->();
	$daemon->poll_ok(sub { $destination->fired }, 'it comes to this phase') or return;
	return sub { $destination->rule; $destination->resume };
}

# The program does not hear of it, the server does.
sub lost
{
	my ($match, $when, $action, $work) = @_;
	$destination->rule(match => $match, when => $when, action => $action);
	$work->();
	$daemon->poll_ok(sub { $destination->fired }, 'it comes to this phase') or return;
	return $action eq 'late' ? sub { $destination->deliver; $destination->rule } : sub { $destination->rule };
}

sub all_stream { return (SluiceTest::psql_try($t->destination_conninfo, "SELECT count(*) FROM sluice.tables WHERE task = '$task' AND state = 'streaming'"))[1] eq @tables; }

sub query_runs { my ($like) = @_; return $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '$like' AND pid <> pg_backend_pid()") > 0; }

my $copy = sub { forget(); $daemon->start; };
my $resync = sub { $daemon->run_ok('table', 'resync', 'public.keyed') };
my $takeover = sub {
	my $standby = $daemon == $first ? $second : $first;
	$standby->start('--standby');
	$standby->poll_ok(sub { $standby->log =~ /standby: the task is run by/ }, 'a standby waits');
	change();
	my $former = $daemon;
	return sub { $daemon = $standby; $former->kill9 };
};

my @phases = (
	[ 'before COPY into a staging table', sub { held('^QCOPY pg_temp', 'before', 1, \&change) } ],
	[ 'in COPY into a staging table', sub { held('^d', 'sent', 3, \&change) } ],
	[ 'between staging and merge', sub { held('^P[^\0]*\0(?:UPDATE|DELETE FROM) ONLY.* pg_temp', 'before', 1, \&change) } ],
	[ 'in a merge statement', sub {
		change('slow');
		$daemon->poll_ok(sub { query_runs('%"keyed"%') }, 'a statement runs');
		sub { }
	} ],
	[ 'before COMMIT', sub { held(Proxy::COMMIT, 'before', 1, \&change) } ],
	[ 'at COMMIT', sub { held(Proxy::COMMIT, 'sent', 1, \&change) } ],
	[ 'after COMMIT, whose answer is lost', sub { lost(Proxy::COMMIT, 'after', 'half', \&change) } ],
	[ 'before a late COMMIT', sub { lost(Proxy::COMMIT, 'before', 'late', \&change) } ],
	[ 'before a COMMIT that is late by a whole attempt', sub {
		my $deliver = lost(Proxy::COMMIT, 'before', 'late', \&change) or return;
		my $before = () = $daemon->log =~ /streaming from/g;
		sub {
			$daemon->poll_ok(sub { (() = $daemon->log =~ /streaming from/g) > $before }, 'the next attempt streams', $patience);
			$deliver->();
		}
	} ],
	[ 'after COMMIT, the slot not confirmed', sub {
		my $go_on = held(Proxy::COMMIT, 'before', 1, \&change) or return;
		$source->stall;
		my $lsn = $t->destination_sql("SELECT applied_lsn FROM sluice.progress WHERE task = '$task'");
		$go_on->();
		$daemon->poll_ok(sub { $t->destination_sql("SELECT applied_lsn > '$lsn' FROM sluice.progress WHERE task = '$task'") eq 't' }, 'a batch is committed');
		sub { $source->resume }
	} ],
	[ 'in the first copy', sub { held('^d', 'sent', 3, $copy) } ],
	[ 'before COMMIT of a part of the first copy', sub { held(Proxy::COMMIT, 'before', 4, $copy) } ],
	[ 'at COMMIT of a part of the first copy', sub { held(Proxy::COMMIT, 'sent', 5, $copy) } ],
	[ 'in a resync, after TRUNCATE', sub { held('^QCOPY "public"', 'before', 1, $resync) } ],
	[ 'in a resync', sub { held('^d', 'sent', 2, $resync) } ],
	[ 'at COMMIT of a resync', sub { held(Proxy::COMMIT, 'sent', 1, $resync) } ],
	[ 'in VACUUM', sub {
		my $database = $t->destination_sql('SELECT quote_ident(current_database())');
		$t->destination_sql("ALTER DATABASE $database SET vacuum_cost_delay = 100; ALTER DATABASE $database SET vacuum_cost_limit = 1");
		$daemon->stop;
		{
			local $ENV{SLUICE_TEST_UPKEEP} = '50,100,200,600,400';
			$daemon->start;
		}
		change();
		$daemon->poll_ok(sub { query_runs('VACUUM "public"%') }, 'VACUUM runs');
		sub { SluiceTest::psql_try($t->destination_conninfo, "ALTER DATABASE $database RESET vacuum_cost_delay; ALTER DATABASE $database RESET vacuum_cost_limit") }
	} ],
	[ 'in compare', sub {
		my $go_on = held('^QSELECT b, count', 'sent', 1, sub { $reading->start_verb('compare') });
		sub { $go_on->(); change() }
	} ],
	[ 'before a takeover by a standby', sub { held('^P[^\0]*\0UPDATE sluice\.progress SET epoch', 'before', 1, $takeover->()) } ],
	[ 'at a takeover by a standby', sub { held('^P[^\0]*\0UPDATE sluice\.progress SET epoch', 'sent', 1, $takeover->()) } ],
);

# ---- what comes of it

sub fault { my (@arguments) = @_; system 'sh', '-c', "$ENV{FAULT_COMMAND} @arguments >/dev/null 2>&1 </dev/null"; }

# The end of a comparison that was disturbed: it may fail, and is right if it does not.
sub wrong_comparison
{
	return () unless $reading->{pid};
	my $status = $reading->wait_for_end($patience);
	note('compare: ' . ($reading->log =~ s/\n(?=.)/\n  /gr));
	my $again = $reading->sluice('compare', { timeout => $patience });
	return map { $_->[0] ? "compare ended with $_->[1]" : () }
	  [ $status > 1 || $status < 0, "$status: " . $reading->log ], [ $again->{status}, "$again->{status}, when repeated: $again->{stderr}" ];
}

sub try_phase
{
	my ($name, $reach, $number) = @_;
	my $log_before = length $daemon->log;
	my $go_on = $reach->() or return fail("$name, fault $number: it is not reached");
	$log_before = 0 if $log_before > length $daemon->log;
	my $broken = time;
	fault('break', $number);
	defined(my $repair = fork) or die "cannot fork: $!";
	if (!$repair)
	{
		fault('repair');
		POSIX::_exit(0);
	}
	$go_on->();
	change();
	my $applied = $daemon->wait_applied_ok("$name, fault $number: it goes on by itself", $patience) && $daemon->poll_ok(\&all_stream, 'and all tables stream', $patience);
	my $took = time - $broken;
	waitpid $repair, 0;
	SluiceTest::seen_within($patience, sub { (SluiceTest::psql_try($t->destination_conninfo, 'SELECT 1'))[0] == 0 });
	my @wrong = (wrong_comparison(), $t->unequal(map { [ $_, $_ ] } @tables), read_wrong());
	ok($applied && !@wrong, "$name, fault $number: nothing is lost or doubled") or diag(join "\n", @wrong);
	note(sprintf '%s, fault %s: %.1f s', $name, $number, $took);
	my $log = substr $daemon->log, $log_before;
	note("  said: $_") for grep { /trying again|standby|ending|waiting/ } split /\n/, $log;
	return $applied;
}

$daemon->start;
$daemon->poll_ok(sub { $daemon->log =~ /streaming from/ }, 'it streams');
PHASE: for my $phase (grep { $_->[0] =~ /$phases/ } @phases)
{
	my ($name, $reach) = @$phase;
	for my $number (@numbers ? @numbers : int rand 1000)
	{
		try_phase($name, $reach, $number);
		last PHASE unless $daemon->running;
	}
}
cmp_ok($times, '>', 0, "a reader saw whole transactions, $times times");

# ---- what is left behind, and the remedy

SKIP:
{
	skip 'only Greenplum leaves temporary schemas behind', 2 unless $greenplum;
	my $left = sub { return map { /^warning +leftovers +destination: (.*)$/ ? $1 : () } split /\n/, $daemon->run_ok('check')->{stdout}; };
	# The number of a session that was just at work hides what an earlier one of that number has left.
	for my $time (1 .. 5)
	{
		my @left = $left->() or last;
		note("left over: $_") for @left;
		for my $said (@left)
		{
			my ($drop) = $said =~ /with (DROP SCHEMA .* CASCADE)$/;
			my ($server) = $said =~ /\((host=.*), this database\)/;
			my $where = $t->destination_conninfo;
			$where = $where =~ s/\b(?:host|port)=\S+//gr . " $server" if $server;
			my ($failed, undef, $message) = SluiceTest::psql_try($where, $drop // 'no statement');
			ok(!$failed, "the remedy works: $said") or diag($message);
		}
	}
	is(join("\n", $left->()), '', 'nothing is left over then');
}
is($daemon->stop, 0, 'stop');

done_testing();
