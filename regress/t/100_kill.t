#!/usr/bin/perl
# SIGKILL at random moments, during the initial copy and under traffic, with a
# start at once behind each: nothing is lost, nothing comes twice, and what
# was copied stays copied.
#
#	SLUICE_TEST_KILLS	how many (50)
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Traffic;
use Test::More;
use Time::HiRes qw(sleep);

my $kills = $ENV{SLUICE_TEST_KILLS} // (SluiceTest::sanitized() ? 12 : 50);
my $copying_kills = int($kills / 3);

my $t = SluiceTest->new;
my $traffic = Traffic->new($t, rows => 10000, scale => 3);
$t->configure({
	source => { compression => 'lz4' },
	apply => { max_bytes => '1MB', memory => '16MB' },
	initial_copy => { jobs => 2, part => '4MB' },
});

my $unexpected = 0;
my %phases;

# Starts it, waits until it says so much (which it does not if all is copied by
# now), lets it live for a while, kills it.
sub live_and_die
{
	my ($seconds, $said) = @_;
	$t->start;
	SluiceTest::seen_within(5, sub { $t->log =~ $said || !$t->running }) if $said;
	sleep $seconds;
	if (!$t->running) { $unexpected++; diag($t->log); return; }
	$t->kill9;
	my ($failed, $state) = SluiceTest::psql_try($t->destination_conninfo,
		"SELECT coalesce((SELECT 'copying'::text FROM sluice.tables WHERE state LIKE 'waiting%' OR state LIKE 'copying%' LIMIT 1), 'streaming')");
	$phases{ $failed ? 'before' : $state }++;
}

$traffic->start;

live_and_die(0.05 + rand 0.4) for 1 .. $copying_kills / 2;

# A lock on one target holds the copy where it is, so that these kills meet it
# with some tables copied and some not.
$t->start;
$t->poll_ok(sub { !(SluiceTest::psql_try($t->destination_conninfo, 'SELECT FROM public.bag LIMIT 1'))[0] },
	'the targets are made');
$t->kill9;
my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE public.bag IN EXCLUSIVE MODE');
live_and_die(rand 0.7, qr/copying \d+ table/) for 1 .. $copying_kills / 2;
SluiceTest::release($lock);

$kills -= $copying_kills;
live_and_die(rand 0.8, rand() < 0.8 ? qr/streaming from/ : undef) while $kills-- > 0;

ok($traffic->running, 'the traffic goes on');
is($unexpected, 0, 'no run ended by itself');
note(join ', ', map { "$phases{$_} kills while $_" } sort keys %phases);
ok($phases{copying} && $phases{streaming}, 'kills met both the copy and the stream');

$t->start;
$traffic->stop;
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends the last run');
$t->all_equal_ok($traffic->tables);

done_testing();
