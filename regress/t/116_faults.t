#!/usr/bin/perl
# Some rounds of the campaign of faults (`make faults`), with a seed that is new each time.
#
#	SLUICE_TEST_ROUNDS	how many (10, sanitized 4)
#	SEED			which ones
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../faults";
use SluiceTest;
use Campaign;
use Test::More;

my $rounds = $ENV{SLUICE_TEST_ROUNDS} // (SluiceTest::sanitized() ? 4 : 10);
# The small disks are for one campaign at a time, and a plain and a sanitized one may run at once.
delete $ENV{SLUICE_TEST_DISKS} if SluiceTest->sanitized;
my $campaign = Campaign->new(seed => $SluiceTest::seed, pair => 8);
$campaign->round($_) for 1 .. $rounds;
$campaign->finish;

done_testing();
