#!/usr/bin/perl
# Kills and lost connections while tables are copied beside the stream: each
# time the copy starts again by itself, and in the end both sides are equal.
#
#	SLUICE_TEST_LATE_KILLS	how many of them (8)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use Proxy;
use SluiceTest;
use Test::More;
use Traffic;

SluiceTest::needs_own_destination('its connections are tampered with');

my $kills = $ENV{SLUICE_TEST_LATE_KILLS} // (SluiceTest::sanitized() ? 4 : 8);
my $t = SluiceTest->new;
my $traffic = Traffic->new($t, rows => 2000, scale => 1);
my $proxy = Proxy->new($t->destination_conninfo);
$t->source_sql(q{
	CREATE TABLE late (id int PRIMARY KEY, v text, n int);
	INSERT INTO late SELECT i, repeat('v', 200), 0 FROM generate_series(1, 20000) i;
});
$t->configure({ destination => { conninfo => $proxy->conninfo }, initial_copy => { jobs => 2 }, tables => { exclude => ['public.never'] } });
$t->run_ok('run', '--until', 'current');
$traffic->start;

sub copied_state
{
	my ($failed, $state) = SluiceTest::psql_try($t->destination_conninfo,
		"SELECT state FROM sluice.tables WHERE source_name = 'late'");
	return $failed ? '' : $state;
}

sub change
{
	my ($round) = @_;
	$t->source_sql("UPDATE late SET n = n + 1 WHERE id % 10 = $round % 10;
		DELETE FROM late WHERE id BETWEEN 100 * $round AND 100 * $round + 20;
		INSERT INTO late SELECT i, 'round $round', 0 FROM generate_series(100000 + 1000 * $round, 100400 + 1000 * $round) i");
}

# What the program says to the destination on the way, and what happens there.
my @points = (
	{ name => 'before it begins', match => 'pg_advisory_xact_lock', when => 'before', action => 'kill' },
	{ name => 'while rows come', match => 'COPY "public"."late"', when => 'before', action => 'cut' },
	{ name => 'before its end is written', match => "state = 'replaying', snapshot_lsn", when => 'before', action => 'kill' },
	{ name => 'after that', match => "state = 'replaying', snapshot_lsn", when => 'after', action => 'kill' },
	{ name => 'when it is committed', match => '^QCOMMIT', when => 'after', action => 'cut' },
	{ name => 'before its changes are caught up with', match => '"public"."late"', nth => 4, when => 'before', action => 'kill' },
	{ name => 'before it counts', match => "SET state = 'streaming' WHERE", when => 'before', action => 'kill' },
	{ name => 'when it counts', match => "SET state = 'streaming' WHERE", when => 'after', action => 'cut' },
);
for my $round (1 .. $kills)
{
	my %point = %{ $points[ ($round - 1) % @points ] };
	my $name = delete $point{name};
	$proxy->rule;
	if (!$t->running)
	{
		$t->start;
		$t->poll_ok(sub { $t->log =~ /streaming from/ }, "round $round: it streams");
	}
	$t->poll_ok(sub { copied_state() eq 'streaming' }, "round $round: so does the table");
	change($round);
	$proxy->rule(%point);
	# While it connects again it is not to be asked, and it may be killed before it answers.
	SluiceTest::poll(sub { $t->sluice('table', 'resync', 'public.late')->{status} == 0 || $proxy->fired });
	change($round + 50);
	SluiceTest::poll(sub { $proxy->fired });
	note("round $round: $name");
	# A message that was the last of the program leaves it running.
	SluiceTest::seen_within(10, sub { !$t->running }) if $point{action} eq 'kill';
}
$proxy->rule;

$t->start unless $t->running;
change(99);
$traffic->stop;
$t->poll_ok(sub { copied_state() eq 'streaming' }, 'the table streams in the end');
$t->wait_applied_ok;
$t->all_equal_ok('public.late', $traffic->tables);
is($t->stop, 0, 'SIGTERM ends it with 0');

done_testing();
