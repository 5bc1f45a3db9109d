#!/usr/bin/perl
# The destination dies again and again while much is being written to it.  The
# applier must notice each time, also where libpq finds out while it writes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep);

SluiceTest::needs_own_destination('it is stopped');

my $crashes = $ENV{SLUICE_TEST_CRASHES} // (SluiceTest::sanitized() ? 3 : 8);
my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE keyed (id int PRIMARY KEY, v text)');
$t->configure({ apply => { max_bytes => '8MB' } });
$t->run_ok('run', '--until', 'current');
$t->start;

# Large transactions one after another, from a process of its own.
defined(my $writer = fork) or die "cannot fork: $!";
if (!$writer)
{
	for my $i (1 .. 1000000)
	{
		eval {
			$t->source_sql("INSERT INTO keyed SELECT i + $i * 10000, repeat('y', 400) FROM generate_series(1, 8000) i;
				DELETE FROM keyed WHERE id < 10000 * ($i - 3)");
		};
	}
	POSIX::_exit(0);
}

my ($streams, $missed) = (0, 0);
for my $crash (1 .. $crashes)
{
	SluiceTest::poll(sub {
		my $now = () = $t->log =~ /streaming from/g;
		!$t->running || ($now > $streams && ($streams = $now));
	});
	sleep 0.3 + rand;
	my $before = () = $t->log =~ /trying again/g;
	$t->destination->stop('immediate');
	$missed++ unless SluiceTest::seen_within(60, sub { (() = $t->log =~ /trying again/g) > $before });
	$t->destination->start;
	last if $missed;
}
kill 'KILL', $writer;
waitpid $writer, 0;
is($missed, 0, 'it notices each time');

$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->equal_ok('public.keyed');

done_testing();
