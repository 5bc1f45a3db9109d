#!/usr/bin/perl
# Upkeep of targets where the server does none: dead rows are counted and stored, VACUUM and ANALYZE run on a session of
# their own once a table is quiet, give way to batches, and are found in status, metrics and check.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Proxy;
use SluiceTest;
use Test::More;

# Rows, dead rows, a moment of quiet, patience with one that has none, a pause, in milliseconds: on PostgreSQL, which
# vacuums by itself, this switches it on.
$ENV{SLUICE_TEST_UPKEEP} = '50,100,200,600,400';

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
my %rows = (busy => 20_000, small => 300, quiet => 300);
my @tables = sort keys %rows;
$t->source_sql(join ';', map { "CREATE TABLE $_ (id int PRIMARY KEY, v int NOT NULL, w int); CREATE INDEX ON $_ (v); INSERT INTO $_ SELECT i, i, i FROM generate_series(1, $rows{$_}) i" } @tables);
my $port = PostgreSQL::Test::Cluster::get_free_port();
sub metric { my ($line) = @_; return (SluiceTest::http_get($port, '/metrics'))[1] =~ /^\Q$line\E (\S+)$/m ? $1 : undef; }
my $proxy = Proxy->new($t->destination_conninfo);
$t->configure({ destination => { conninfo => $proxy->conninfo }, http => { listen => "127.0.0.1:$port" }, schema => { indexes => 'all' } });
$t->run_ok('run', '--until', 'current');

sub dead { return $t->destination_sql("SELECT coalesce(dead_rows, 0) FROM sluice.tables WHERE source_name = '$_[0]'"); }
sub vacuumed { my ($table) = @_; return () = $t->log =~ /vacuumed public\.$table,/g; }

# ---- counting

$t->source_sql('UPDATE small SET v = -v WHERE id <= 30; DELETE FROM small WHERE id = 31; INSERT INTO small VALUES (400, 1, 1)');
$t->run_ok('run', '--until', 'current');
is(dead('small'), 31, 'updated and deleted rows are counted and stored');
$t->source_sql('BEGIN; UPDATE small SET v = -v WHERE id <= 20; UPDATE small SET v = 2 WHERE id <= 20; COMMIT');
$t->run_ok('run', '--until', 'current');
is(dead('small'), 51, 'those of the next run with them, a row once a batch');
$t->source_sql('UPDATE small SET v = v + 1');
my $short = $t->run_ok('run', '--until', 'current');
like($short->{stderr}, qr/vacuumed public\.small, with 351 rows/, 'a run that ends by itself vacuums what is due before it ends');
is(dead('small'), 0, 'then there are none');
$t->source_sql('UPDATE small SET v = v + 1 WHERE id < 60; TRUNCATE small; INSERT INTO small VALUES (1, 1, 1)');
$t->run_ok('run', '--until', 'current');
is(dead('small'), 0, 'a truncated table has none');

# ---- while it streams

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql('UPDATE quiet SET v = v + 1');
$t->poll_ok(sub { vacuumed('quiet') == 1 }, 'a table is vacuumed once it is quiet');
$t->poll_ok(sub { dead('quiet') == 0 }, 'which is written down');
is(metric('sluice_vacuums_total{task="test",outcome="done"}'), 1, 'metrics count it');
is(metric('sluice_table_dead_rows{task="test",table="public.quiet"}'), 0, 'and dead rows');

# ---- giving way

# A lock that VACUUM waits for, and no batch.
SKIP:
{
	skip 'an UPDATE would wait for that lock on Greenplum', 3 if $greenplum;
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE busy IN SHARE UPDATE EXCLUSIVE MODE');
	$t->source_sql('UPDATE busy SET v = v + 1');
	$t->poll_ok(sub { ($t->status->{tables}[0]{upkeep} // '') =~ /^VACUUM gave way to batches, or found the table locked, \d+ times in a row/ }, 'status says what was given up several times');
	like($t->log, qr/VACUUM of public\.busy gave way after/, 'so does the log');
	ok($t->running, 'the stream is not disturbed');
	SluiceTest::release($lock);
}
$t->source_sql('UPDATE busy SET v = v + 1');
$t->poll_ok(sub { vacuumed('busy') >= 1 }, 'it is done later');
$t->poll_ok(sub { !defined $t->status->{tables}[0]{upkeep} }, 'and status forgets it');

# A VACUUM that takes its time, and a batch that waits: for it on Greenplum, and for a row on PostgreSQL.
my $database = $t->destination_sql('SELECT quote_ident(current_database())');
$t->destination_sql("ALTER DATABASE $database SET vacuum_cost_delay = 100; ALTER DATABASE $database SET vacuum_cost_limit = 1");
$t->source_sql('UPDATE busy SET v = v + 1');
my $running = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE 'VACUUM%' AND state = 'active'};

# The process of the only VACUUM, another than the former one.  A daemon asks the server to cancel a VACUUM and does not wait
# until the server has done so: two may be seen.
sub only_vacuum
{
	my ($name, $former) = (@_, 0);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $only = $running =~ s/count\(\*\)/min(pid)/r . " HAVING count(*) = 1 AND min(pid) <> $former";
	return $t->poll_ok(sub { $t->destination_sql($only) }, $name);
}

only_vacuum('a VACUUM runs');
my $row = $greenplum ? undef : SluiceTest::hold($t->destination_conninfo, 'SELECT FROM busy WHERE id = 7 FOR UPDATE');
my $times = vacuumed('busy');
$proxy->welcome('refuse');
$t->source_sql('UPDATE busy SET w = 8 WHERE id = 7');
$t->poll_ok(sub { $proxy->state->{refused} }, 'a request to cancel it gets lost');
$proxy->welcome('pass');
$t->poll_ok(sub { $t->log =~ /VACUUM of public\.busy gave way after [\d.]+ s: a batch waited for it/ }, 'it is cancelled for a batch that waits, by another request');
is(vacuumed('busy'), $times, 'instead of being waited for');
SluiceTest::release($row) if $row;
$t->wait_applied_ok('the batch is applied');

# ---- stopping, and losing the session

my $pid = only_vacuum('it is tried again');
$t->destination_sql("SELECT pg_terminate_backend($pid)");
$t->poll_ok(sub { $t->log =~ /VACUUM of public\.busy failed after/ }, 'its session is lost');
$t->source_sql('INSERT INTO busy VALUES (100000, 1, 1)');
$t->wait_applied_ok('which does not disturb the stream');
unlike($t->log, qr/trying again/, 'nor lead to another attempt');
$pid = only_vacuum('another session goes on', $pid);

# Its client is gone, but the server does not hear of it.
$proxy->rule(match => '^QVACUUM', when => 'sent', action => 'half');
$t->destination_sql("SELECT pg_terminate_backend($pid)");
$t->poll_ok(sub { $proxy->fired }, 'the program loses the session of a VACUUM that goes on');
my $lost = $t->poll_ok(sub { $t->destination_sql($running =~ s/count\(\*\)/min(pid)/r . " AND pid <> $pid") }, 'which the server still has');
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $lost") == 0 }, 'the next session ends it');
only_vacuum('and goes on');

# ---- pausing

like($t->run_ok('pause')->{stdout}, qr/^paused at/, 'a pause');
is($t->destination_sql($running), 0, 'cancels what runs');
is($t->run_ok('resume')->{stdout}, "resumed\n", 'the end of the pause');
only_vacuum('lets it be tried again');

# ---- ending

is($t->stop, 0, 'a stop stores what was counted');
$t->poll_ok(sub { $t->destination_sql($running) == 0 }, 'and cancels what runs');
$t->start;
$pid = only_vacuum('the next daemon goes on');
$t->kill9;
is($t->destination_sql("$running AND pid = $pid"), 1, 'that of a daemon that was killed goes on');
$t->start;
$t->poll_ok(sub { $t->destination_sql("$running AND pid = $pid") == 0 }, 'until the next daemon cancels it');
$pid = only_vacuum('and begins another');
$proxy->welcome('stall');
is($t->stop, 0, 'a stop waits neither for it, nor for a server that takes no request to cancel it');
like($t->log, qr/does not answer a request to cancel a statement/, 'it says so');
$proxy->welcome('pass');
$proxy->resume;
$t->start;
$t->poll_ok(sub { $t->destination_sql("$running AND pid <> $pid") == 1 && $t->destination_sql($running) == 1 }, 'the next daemon ends it in turn');
is($t->stop, 0, 'a stop');
$t->poll_ok(sub { $t->destination_sql($running) == 0 }, 'and leaves nothing behind');
$t->destination_sql("ALTER DATABASE $database RESET vacuum_cost_delay; ALTER DATABASE $database RESET vacuum_cost_limit");
$t->all_equal_ok(map { "public.$_" } @tables);

# ---- an attempt that ends while the session of the batches has changed the same rows

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql('UPDATE busy SET w = w + 1 WHERE id < 50; UPDATE quiet SET w = w + 1 WHERE id < 50');
$t->wait_applied_ok('dead rows that are not stored yet');
$t->source_sql('BEGIN; ALTER TABLE busy ADD COLUMN x int DEFAULT 7; INSERT INTO busy VALUES (200000, 1, 1); ALTER TABLE small ALTER v TYPE bigint USING v + 1; INSERT INTO small VALUES (5000, 1, 1); COMMIT');
$t->wait_applied_ok('another attempt begins, in which a table is copied again');
like($t->log, qr/public\.busy has changed its definition.*public\.small.*copied again/s, 'its definition could not be followed');
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM sluice.tables WHERE state <> 'streaming'") == 0 }, 'all of them stream');
is($t->stop, 0, 'stop');
$t->all_equal_ok(map { "public.$_" } @tables);

# ---- off

$t->configure({ apply => { vacuum => 'off' }, schema => { indexes => 'all' } });
my $before = dead('busy');
$t->source_sql('UPDATE busy SET v = v + 1');
unlike($t->run_ok('run', '--until', 'current')->{stderr}, qr/vacuumed/, 'off is off');
is(dead('busy'), $before + $t->source_sql('SELECT count(*) FROM busy'), 'and counts go on');

done_testing();
