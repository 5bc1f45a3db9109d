#!/usr/bin/perl
# Transactions that the source sends while they are open: they wait in spill
# files, and the destination sees them at their commit, whole, in the order of the
# commits, without what was rolled back, whatever ends the program meanwhile.
#
#	SLUICE_TEST_ROWS	of the transaction that memory is measured with
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep);

my $t = SluiceTest->new(source => { conf => "
	logical_decoding_work_mem = 64kB
	autovacuum = off
" });
if ($t->source->{_pg_version} < 14)
{
	plan skip_all => 'PostgreSQL 13 sends transactions at their commit only';
}
$t->configure;
my $spill = $t->{spill};

$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text, n int);
	CREATE TABLE b (id int PRIMARY KEY, v text);
	ALTER TABLE b ALTER v SET STORAGE EXTERNAL;
	CREATE TABLE bag (k int, v text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO a SELECT i, 'first ' || i, 0 FROM generate_series(1, 3000) i;
	INSERT INTO b SELECT i, repeat('b', 3000) FROM generate_series(1, 50) i;
});
my @tables = map { "public.$_" } qw(a b bag);

sub streamed
{
	return $t->source_sql("SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = 'sluice_test'");
}

# ---- one transaction, with parts that are rolled back

$t->configure({ apply => { memory => '16MB' } });
$t->start;
$t->wait_applied_ok('the copy is done');
$t->source_sql(q{
	BEGIN;
	INSERT INTO a SELECT i, repeat('x', 300), 1 FROM generate_series(10001, 20000) i;
	SAVEPOINT s1;
	UPDATE a SET n = 2, v = repeat('lost', 100) WHERE id > 15000;
	DELETE FROM a WHERE id < 2000;
	INSERT INTO bag SELECT i % 10, repeat('lost', 50) FROM generate_series(1, 2000) i;
	SAVEPOINT s2;
	TRUNCATE b;
	RELEASE s2;
	ROLLBACK TO s1;
	UPDATE a SET id = -id WHERE id BETWEEN 12000 AND 13000;
	INSERT INTO bag SELECT i % 10, 'kept' FROM generate_series(1, 2000) i;
	SAVEPOINT s3;
	DELETE FROM bag WHERE k = 3;
	RELEASE s3;
	UPDATE b SET id = id + 1000;
	COMMIT;
});
$t->wait_applied_ok('a transaction with parts that are rolled back');
$t->all_equal_ok(@tables);
$t->poll_ok(sub { streamed() > 0 }, 'it came while it was open');
$t->source_sql(q{BEGIN; UPDATE a SET v = repeat('never', 100); DELETE FROM b; ROLLBACK});
$t->wait_applied_ok('one that is rolled back');
$t->all_equal_ok(@tables);

# ---- several at once, that end in another order than they began

my @session = map { $t->source->background_psql('shop', on_error_die => 1) } 0 .. 3;
sub rows_of
{
	my ($n, $round) = @_;
	my $from = 10_000_000 * ($n + 1) + 10_000 * $round;
	return "INSERT INTO a SELECT i, repeat('$n', 200), $round FROM generate_series($from, $from + 1500) i;
		INSERT INTO bag SELECT $n, 'round $round' FROM generate_series(1, 300);
		UPDATE a SET n = n + 100 WHERE id BETWEEN $from + 100 AND $from + 300;";
}
sub wait_for_spill
{
	my ($name) = @_;
	my $files = sub { grep { (readlink // '') =~ m{^\Q$spill\E/} } glob "/proc/$t->{pid}/fd/*" };
	$t->poll_ok(sub { $files->() > 0 }, $name);
}

for my $n (0 .. 3) { $session[$n]->query_safe('BEGIN; ' . rows_of($n, 1)); }
for my $n (3, 1, 0, 2) { $session[$n]->query_safe('SAVEPOINT s; ' . rows_of($n, 2) . ' SAVEPOINT s2; ' . rows_of($n, 3)); }
wait_for_spill('open transactions wait in files');
is((glob "$spill/*") + 0, 0, 'that have no name');
is($t->destination_sql('SELECT count(*) FROM a WHERE id > 1000000'), 0, 'nobody sees them at the destination');
$session[3]->query_safe('ROLLBACK TO s; ' . rows_of(3, 4) . ' COMMIT');
$session[2]->query_safe('DELETE FROM bag WHERE k = 2; ROLLBACK TO s2');
$t->wait_applied_ok('the first that commits');
is($t->destination_sql("SELECT DISTINCT left(v, 1) FROM a WHERE id > 1000000"), '3', 'is there, and no other');
$session[1]->query_safe('ROLLBACK');
$session[2]->query_safe('INSERT INTO bag VALUES (2, NULL); COMMIT');
$t->source_sql("UPDATE a SET v = 'small' WHERE id = 5");
$session[0]->query_safe("UPDATE bag SET v = 'seen' WHERE k = 2; COMMIT");
$t->wait_applied_ok('the others');
$t->all_equal_ok(@tables);
is($t->stop, 0, 'the run ends');

# ---- the table is altered on the way, or that is rolled back

$t->both_sql('CREATE TABLE altered (id int PRIMARY KEY, v text, late int)');
$t->source_sql('ALTER TABLE altered DROP COLUMN late');
$t->start;
$t->wait_applied_ok('a new table is copied');
$t->source_sql(q{
	BEGIN;
	INSERT INTO altered SELECT i, repeat('1', 100) FROM generate_series(1, 2000) i;
	SAVEPOINT s;
	ALTER TABLE altered ADD COLUMN wrong text;
	INSERT INTO altered SELECT i, repeat('2', 100), 'wrong' FROM generate_series(2001, 4000) i;
	ROLLBACK TO s;
	INSERT INTO altered SELECT i, repeat('3', 100) FROM generate_series(5001, 7000) i;
	ALTER TABLE altered ADD COLUMN late int;
	INSERT INTO altered SELECT i, repeat('4', 100), i FROM generate_series(7001, 9000) i;
	COMMIT;
	INSERT INTO altered VALUES (10000, 'after', 1);
});
$t->wait_applied_ok('a table altered in the transaction');
$t->equal_ok('public.altered');
push @tables, 'public.altered';
# PostgreSQL 18 fails at it while the transaction is open, and all come at their commit until the next start.
is($t->stop, 0, 'the run ends');
$t->start;

# ---- killed in the middle

my $kills = SluiceTest::sanitized() ? 4 : 10;
for my $round (1 .. $kills)
{
	for my $n (0 .. 2)
	{
		$session[$n]->query_safe(($round % 2 ? 'BEGIN; ' : '') . rows_of($n, 10 + $round)
			. ' SAVEPOINT s; ' . rows_of($n, 50 + $round) . ($n == 1 ? ' ROLLBACK TO s' : ''));
	}
	if ($round % 2) { wait_for_spill("kill $round: while transactions wait in files"); }
	else
	{
		$session[$_]->query_safe($_ == 2 ? 'ROLLBACK' : 'COMMIT') for 2, 0, 1;
		sleep rand 0.5;
	}
	$t->kill9;
	$t->start;
}
$_->quit for @session;
$t->wait_applied_ok('everything after kills in the middle');
is($t->stop, 0, 'the run ends');
$t->all_equal_ok(@tables);
is((grep { -e } glob "$spill/*") + 0, 0, 'nothing is left in the spill directory');

# ---- a full disk

SKIP: {
	skip 'prlimit is not there', 5 unless `prlimit --version 2>/dev/null`;
	$t->source_sql('CREATE TABLE noise (id int PRIMARY KEY, v text)');
	$t->start;
	$t->wait_applied_ok('it runs');
	system 'prlimit', '--pid', $t->{pid}, '--fsize=400000:unlimited';
	my $log = length $t->log;
	$t->source_sql(q{
		INSERT INTO noise SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 30) j)
			FROM generate_series(1, 5000) i});
	$t->poll_ok(sub { $t->log =~ /cannot write a spill file in \S+: File too large.*trying again/ }, 'a full disk is told')
	  or diag($t->log);
	is($t->destination_sql("SELECT count(*) FROM pg_class WHERE relname = 'noise' AND reltuples > 0"), 0, 'and nothing is applied');
	ok($t->running, 'the run goes on');
	system 'prlimit', '--pid', $t->{pid}, '--fsize=unlimited:unlimited';
	$t->wait_applied_ok('once there is room');
	$t->equal_ok('public.noise', wait => 1);
	is($t->stop, 0, 'the run ends');
}

# ---- a directory that is not there, or not ours

$t->configure({ apply => { memory => '16MB', spill_directory => $t->directory . '/made' } });
like($t->sluice('check')->{stdout}, qr/^ok +spill_directory +.*made, which run will make$/m, 'check says that it will be made');
$t->run_ok('run', '--until', 'current');
is(sprintf('%o', (stat $t->directory . '/made')[2] & 0777), 700, 'it is made, for the user alone');

$t->configure({ apply => { memory => '16MB', spill_directory => '/proc/nowhere' } });
like($t->sluice('check')->{stdout}, qr/^warning +spill_directory +.*nowhere cannot be written \(No such file.*at their commit/m, 'check warns where that cannot be');
my $before = streamed();
$t->start;
$t->source_sql("INSERT INTO b SELECT i, repeat('late', 700) FROM generate_series(5001, 6000) i");
$t->wait_applied_ok('without it');
like($t->log, qr/cannot make a spill file in .proc.nowhere.*received at their commit/, 'run says what follows');
$t->equal_ok('public.b');
is($t->stop, 0, 'the run ends');
is(streamed(), $before, 'nothing was sent while it was open');

# ---- memory

my $rows = $ENV{SLUICE_TEST_ROWS} // (SluiceTest::sanitized() || SluiceTest::destination_is_external() ? 200_000 : 2_000_000);
$t->source_sql('TRUNCATE a; TRUNCATE b; CREATE TABLE wide (id int PRIMARY KEY, v text, w text)');
$t->configure({ apply => { memory => '64MB' } });
$t->start;
$t->wait_applied_ok('another run');
sub peak
{
	open my $file, '<', "/proc/$t->{pid}/status" or return 0;
	my ($kb) = join('', <$file>) =~ /^VmHWM:\s+(\d+) kB/m;
	return $kb / 1024;
}
$t->source_sql("BEGIN; INSERT INTO wide SELECT i, md5(i::text), repeat(md5(i::text), 2) FROM generate_series(1, $rows) i;
	SAVEPOINT s; UPDATE wide SET w = 'never' WHERE id % 10 = 0; ROLLBACK TO s; DELETE FROM wide WHERE id % 100 = 1; COMMIT");
$t->wait_applied_ok("a transaction of $rows rows", 600);
my $peak = peak();
note sprintf 'peak %.1f MB', $peak;
cmp_ok($peak, '<', 128, 'stays within apply.memory and 64 MB') unless SluiceTest::sanitized();
is($t->stop, 0, 'the run ends');
$t->equal_ok('public.wide');

done_testing();
