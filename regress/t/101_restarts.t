#!/usr/bin/perl
# Both servers are restarted without a shutdown, under traffic and during the
# initial copy.  The applier finds its way back by itself: one run sees it all.
#
#	SLUICE_TEST_RESTARTS	how many of each server (4, plain 8)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Traffic;
use Test::More;
use Time::HiRes qw(sleep);

SluiceTest::needs_own_destination('it is restarted');

my $restarts = $ENV{SLUICE_TEST_RESTARTS} // (SluiceTest::sanitized() ? 4 : 8);
my $durable = "fsync = on\nwal_level = logical\ncheckpoint_timeout = 30s\n";

my $t = SluiceTest->new(source => { conf => $durable }, destination => { conf => $durable });
my $traffic = Traffic->new($t, rows => 5000, scale => 2);
$t->configure({ apply => { max_bytes => '1MB' }, initial_copy => { jobs => 2 } });

sub restart
{
	my (@servers) = @_;
	$t->$_->stop('immediate') for @servers;
	$t->$_->start for @servers;
	return unless grep { $_ eq 'source' } @servers;
	$traffic->stop;
	$traffic->start;
}

sub position
{
	my ($failed, $lsn) =
	  SluiceTest::psql_try($t->destination_conninfo, 'SELECT applied_lsn FROM sluice.progress');
	return $failed ? '' : $lsn;
}

sub phase
{
	my ($failed, $left) = SluiceTest::psql_try($t->destination_conninfo,
		"SELECT count(*) FROM sluice.tables WHERE state LIKE 'waiting%' OR state LIKE 'copying%'");
	return !$failed && $left eq '0' ? 'stream' : 'copy';
}

$traffic->start;

# A lock on one target, which ends with its server, keeps the copy from its end.
sub lock_target { return SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE bag IN EXCLUSIVE MODE'); }

my %seen;
my $begun = 0;
$t->destination_sql('CREATE TABLE bag (a int, b text, c numeric)');
my $lock = lock_target();
$t->start;
for my $server (qw(source destination source destination))
{
	SluiceTest::poll(sub {
		my $times = () = $t->log =~ /copying \d+ table/g;
		!$t->running || phase() eq 'stream' || ($times > $begun && ($begun = $times));
	});
	sleep rand 0.5;
	$seen{phase()}++;
	restart($server);
	# A copy that only waits for the lock would not notice that its source was away.
	SluiceTest::release($lock) if $server eq 'source';
	$lock = lock_target();
}
SluiceTest::release($lock);

# As soon as it has applied something again, the next blow falls; some hit both.
my $both = int(($restarts - 2) / 2);
for my $servers ((['source', 'destination']) x $both, (['source'], ['destination']) x ($restarts - 2 - $both))
{
	my $before = position();
	SluiceTest::poll(sub { my $now = position(); !$t->running || ($now && $now ne $before) });
	sleep rand 0.6;
	$seen{phase()}++;
	restart(@$servers);
}
note(join ', ', map { "$seen{$_} times during the $_" } sort keys %seen);

ok($t->running, 'the applier has not ended');
ok($seen{copy} && $seen{stream}, 'they met both the copy and the stream');
$traffic->stop;
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->all_equal_ok($traffic->tables);

done_testing();
