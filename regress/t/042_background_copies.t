#!/usr/bin/perl
# Tables that are copied while the others stream: what comes meanwhile waits
# for the copy and is applied to it, and the others never wait.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run ();
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE others (id int PRIMARY KEY, v text);
	INSERT INTO others SELECT i, 'v' || i FROM generate_series(1, 100) i;
});
$t->configure({ initial_copy => { jobs => 2 } });

sub state_of
{
	my ($table) = @_;
	return $t->destination_sql("SELECT state FROM sluice.tables WHERE source_name = '$table'");
}

sub all_stream_ok
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub {
		$t->destination_sql("SELECT count(*) FROM sluice.tables WHERE state <> 'streaming'") eq '0';
	}, 'all tables stream');
	$t->wait_applied_ok;
}

# The stream has begun once the initial copy is complete and something was applied.
$t->run_ok('run', '--until', 'current');
$t->source_sql("UPDATE others SET v = 'first' WHERE id = 1");
$t->run_ok('run', '--until', 'current');

# ---- two tables that appeared while the daemon was away, one without a key

$t->both_sql(q{
	CREATE TABLE late (id int PRIMARY KEY, v text, n int);
	CREATE TABLE bag (a int, b text);
});
$t->destination_sql('CREATE TABLE emptied (id int PRIMARY KEY, v text)');
$t->source_sql(q{
	CREATE TABLE emptied (id int PRIMARY KEY);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO late SELECT i, repeat('v', 50), i FROM generate_series(1, 5000) i;
	INSERT INTO bag SELECT i % 10, NULL FROM generate_series(1, 500) i;
	INSERT INTO emptied SELECT generate_series(1, 10);
});
my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE late, bag, emptied IN EXCLUSIVE MODE');
$t->start;
$t->poll_ok(sub {
	$t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation IN ('late'::regclass, 'bag'::regclass) AND NOT granted") > 0;
}, 'the copy is under way');
for my $round (1 .. 20)
{
	$t->source_sql(qq{
		BEGIN;
		INSERT INTO others VALUES (1000 + $round, 'meanwhile');
		INSERT INTO late VALUES (10000 + $round, 'new', $round);
		UPDATE late SET n = n + 1 WHERE id % 20 = $round;
		DELETE FROM late WHERE id BETWEEN 100 * $round AND 100 * $round + 5;
		UPDATE late SET id = id + 100000 WHERE id = 50 + $round;
		INSERT INTO bag VALUES ($round, 'new'), ($round, 'new'), (3, NULL);
		DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 3 LIMIT 2);
		COMMIT;
	});
}
$t->source_sql('TRUNCATE emptied, others');
$t->source_sql("INSERT INTO emptied VALUES (77); INSERT INTO others VALUES (1, 'after')");
# One that is larger than what is held in memory, taken back in parts.
$t->source_sql(q{
	BEGIN;
	INSERT INTO late SELECT i, md5(i::text), i FROM generate_series(200000, 230000) i;
	SAVEPOINT s;
	UPDATE late SET n = -1;
	ROLLBACK TO s;
	DELETE FROM late WHERE id % 7 = 0 AND id > 200000;
	COMMIT;
});
$t->wait_applied_ok('the others go on');
$t->all_equal_ok('public.others');
$t->poll_ok(sub { state_of('late') =~ /^copying/ && state_of('bag') =~ /^copying/ }, 'they are being copied');
$t->fails_like(['pause'], 1, qr/being copied, which cannot be paused/, 'a pause must wait');
is($t->destination_sql('SELECT count(*) FROM late'), 0, 'nothing of it is there yet');
# Who reads a target that is locked would wait for its copy.
my $waiter = IPC::Run::start([ 'psql', '-XAqt', '-d', $t->destination_conninfo, '-c', 'BEGIN; LOCK TABLE late IN ACCESS EXCLUSIVE MODE; ROLLBACK' ]);
$t->poll_ok(sub {
	$t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'late'::regclass AND mode = 'AccessExclusiveLock'") > 0;
}, 'the target is locked');
$t->run_ok('check');
# So many descriptions replace each other that old ones are forgotten, but not those that the backlog refers to.
$t->source_sql('ALTER TABLE emptied ADD v text; INSERT INTO emptied VALUES (78)');
$t->source_sql(join '; ', map { "ALTER TABLE others ADD c$_ int; INSERT INTO others VALUES (2000 + $_)" } 1 .. 110);
$t->wait_applied_ok('the others are altered');
is($t->status->{phase}, 'streaming', 'the task streams');
SluiceTest::release($lock);
$waiter->finish;
all_stream_ok();
my @tables = map { "public.$_" } qw(others late bag emptied);
$t->all_equal_ok(@tables);
like($t->log, qr/emptied was altered, .* left for another snapshot/, 'one was altered meanwhile');
like($t->log, qr/applying \d{3,} changes that came during the copy of 2 tables/, 'what came meanwhile had to wait');

# They are followed as all others.
$t->source_sql(q{
	UPDATE late SET v = 'followed' WHERE id % 3 = 0; DELETE FROM bag WHERE a = 5;
	INSERT INTO emptied SELECT generate_series(100, 200); INSERT INTO others VALUES (2, 'too');
});
$t->wait_applied_ok;
$t->all_equal_ok(@tables);
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->start;
$t->source_sql('UPDATE late SET n = n - 1 WHERE id % 5 = 0');
$t->wait_applied_ok;
$t->all_equal_ok(@tables);
unlike($t->log, qr/copied/, 'the next start copies nothing');
is($t->stop, 0, 'SIGTERM ends it with 0');

done_testing();
