#!/usr/bin/perl
# The statements of merge plans do on a server what they do in memory: random
# histories of the model, executed on the destination, too.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $model = "$SluiceTest::build/regress/unit/test_model";
plan skip_all => 'the unit tests are not built' unless -x $model;

my $t = SluiceTest->new;
my $count = SluiceTest::sanitized() ? 15 : 40;
for my $seed (1, 100001)
{
	local $ENV{MODEL_SERVER} = $t->destination_conninfo;
	local $ENV{SEED} = $seed;
	local $ENV{MODEL_COUNT} = $count;
	my $result = SluiceTest::command([$model], { timeout => 600 });
	is($result->{status}, 0, "$count histories from seed $seed");
}

# Without its environment the program would not have asked the server.
like($t->destination_sql(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'mo"del'}),
	qr/^1$/, 'the histories ran on the server');
done_testing();
