#!/usr/bin/perl
# The destination ends a session when it has answered what the program has asked so far: its last word comes when no
# request is open, and is an answer to none of them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Proxy;
use Test::More;

SluiceTest::needs_own_destination('its connections are tampered with');

my $t = SluiceTest->new;
my $destination = Proxy->new($t->destination_conninfo);
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 3000) i;
	INSERT INTO bag SELECT i % 3, 'b' FROM generate_series(1, 100) i;
});
$t->configure({ destination => { conninfo => $destination->conninfo } });
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

my $points = 0;
for my $nth (1 .. 4)
{
	$destination->rule(match => '^H', when => 'after', action => 'stall', nth => $nth);
	$t->source_sql("BEGIN; UPDATE keyed SET v = v || '+' WHERE id % 3 = $nth % 3; INSERT INTO bag VALUES ($nth, NULL);
		DELETE FROM keyed WHERE id BETWEEN 50 * $nth AND 50 * $nth + 5; DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag); COMMIT");
	my $lsn = $t->source_sql("SELECT pg_logical_emit_message(true, 'test', '')");
	SluiceTest::poll(sub { $destination->fired || $t->_applied($lsn) || !$t->running });
	if ($destination->fired)
	{
		$points++;
		$t->destination_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'");
		$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sluice%'") eq '0' }, "$nth: the sessions have ended");
	}
	$destination->rule;
	$destination->resume;
	$t->wait_applied_ok("$nth: the batch is done again");
	last unless ok($t->running, "$nth: the daemon lives");
}
cmp_ok($points, '>', 0, "$points points");
$t->all_equal_ok('public.keyed', 'public.bag');
is($t->stop, 0, 'SIGTERM ends it with 0');

done_testing();
