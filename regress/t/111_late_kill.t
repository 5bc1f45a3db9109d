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
use Time::HiRes qw(sleep);
use Traffic;

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

sub late_state
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

my %seen;
my @points = (
	[ 'in the copy', sub { late_state() eq 'copying' } ],
	[ 'after the copy', sub { $t->log =~ /copied public\.late/ } ],
	[ 'while it catches up', sub { late_state() eq 'catching_up' } ],
);
for my $round (1 .. $kills)
{
	my ($name, $reached) = @{ $points[ $round % @points ] };
	$t->start unless $t->running;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, "round $round: it streams");
	$t->run_ok('table', 'resync', 'public.late') if late_state() eq 'streaming';
	change($round);
	SluiceTest::poll(sub { $reached->() || late_state() eq 'streaming' }, 30);
	sleep rand 0.1;
	$seen{ late_state() }++;
	if ($round % 2) { $t->kill9; }
	else { $proxy->cut; }
}
note(join ', ', map { "$seen{$_} times while it was $_" } sort keys %seen);

$t->start unless $t->running;
change($kills + 1);
$traffic->stop;
$t->poll_ok(sub { late_state() eq 'streaming' }, 'the table streams in the end');
$t->wait_applied_ok;
$t->all_equal_ok('public.late', $traffic->tables);
is($t->stop, 0, 'SIGTERM ends it with 0');

done_testing();
