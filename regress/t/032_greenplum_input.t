#!/usr/bin/perl
# What can be wrong only where the destination is Greenplum.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

plan skip_all => 'needs a Greenplum destination, named by DESTINATION' unless SluiceTest::destination_is_external();
my $t = SluiceTest->new;
plan skip_all => 'the destination is not Greenplum' unless $t->destination_is_greenplum;

$t->source_sql(q{
	CREATE TABLE wide (id int PRIMARY KEY, region text NOT NULL, mac macaddr8, spans int4multirange);
	INSERT INTO wide VALUES (1, 'EU', '08:00:2b:01:02:03:04:05', '{[1,3),[7,9)}');
});

sub with_override
{
	return { tables => { include => ['public.wide'], overrides => [ { source => 'public.wide', @_ } ] } };
}

$t->configure(with_override(distributed_by => ['nope']));
$t->fails_like(['check'], 3, qr/the column "nope" of distributed_by does not exist/, 'no such column');
$t->configure(with_override(distributed_by => ['region']));
$t->fails_like(['check'], 3, qr/"region" of distributed_by is not part of the primary key/, 'not in the primary key');
$t->fails_like(['run'], 3, qr/"region" of distributed_by is not part of the primary key/, 'run refuses, too');
is($t->destination_sql("SELECT count(*) FROM pg_tables WHERE tablename = 'wide'"), '0', 'nothing was made');

$t->configure(with_override(fillfactor => 70));
$t->fails_like(['check'], 3, qr/fillfactor is for heap storage: set storage to heap, too, or remove fillfactor/, 'fillfactor of unknown storage');
$t->configure(with_override(distributed_by => ['region'], storage => 'ao_column'));
my $said = $t->run_ok('check')->{stdout};
like($said, qr/^warning .*mac \(macaddr8 becomes text\), spans \(int4multirange becomes text\)/m, 'types that it lacks');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.wide');

$t->configure({ destination => { dialect => 'postgresql' } });
$t->fails_like(['check'], 2, qr/destination\.dialect is "postgresql", but the server is/, 'the wrong dialect');

done_testing();
