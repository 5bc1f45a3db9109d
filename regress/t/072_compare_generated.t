#!/usr/bin/perl
# A generated column of the target that computes something else: a difference that no new copy resolves.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
plan skip_all => 'this destination has no generated columns' if $t->destination_is_greenplum6;

$t->source_sql(q{
	CREATE TABLE computed (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a * 2) STORED);
	INSERT INTO computed (id, a) SELECT i, i FROM generate_series(1, 10) i;
});
$t->destination_sql('CREATE TABLE computed (id int PRIMARY KEY, a int, total int GENERATED ALWAYS AS (a * 3) STORED)');
$t->configure;
$t->run_ok('run', '--until', 'current');

my $result = $t->sluice('compare');
is($result->{status}, 4, 'it is a difference');
like($result->{stdout}, qr/^different +public\.computed: 10 changed of 10 rows$/m, 'of each row');
like($result->{stdout}, qr/^  changed  id='1': total '2' → '3' \(which the target computes\)$/m, 'in that column');
like($result->{stderr}, qr/^sluice: differences in 1 of 1 table.*; what differs is computed by the targets.*a new copy changes nothing\.$/m, 'and what to do is not a new copy');

$t->destination_sql('UPDATE computed SET a = 100 WHERE id = 1');
$result = $t->sluice('compare');
like($result->{stderr}, qr/"sluice table resync" copies them again/, 'unless another column differs, too');

done_testing();
