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
	CREATE TABLE wide (id int PRIMARY KEY, region text NOT NULL, mac macaddr8, far xid8);
	INSERT INTO wide VALUES (1, 'EU', '08:00:2b:01:02:03:04:05', '18446744073709551615');
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
sub lacks { return $t->destination_sql("SELECT to_regtype('pg_catalog.$_[0]') IS NULL") eq 't'; }
my $lacking = join ', ', map { "$_->[0] ($_->[1] becomes text)" } grep { lacks($_->[1]) } [qw(mac macaddr8)], [qw(far xid8)];
$lacking ? like($said, qr/^warning .*\Q$lacking\E/m, 'types that it lacks') : unlike($said, qr/becomes text/, 'it lacks no type');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.wide');

$t->configure({ destination => { dialect => 'postgresql' } });
$t->fails_like(['check'], 2, qr/destination\.dialect is "postgresql", but the server is/, 'the wrong dialect');

# ---- temporary schemas of sessions that have ended

$t->configure(with_override());
unlike($t->run_ok('check')->{stdout}, qr/ leftovers /, 'nothing is left over');
sub leftovers { return map { /^warning +leftovers +destination: (.*)$/ ? $1 : () } split /\n/, $t->run_ok('check')->{stdout}; }
my $make = q{SET allow_system_table_mods = on; CREATE SCHEMA pg_temp_99999999; CREATE SCHEMA pg_toast_temp_99999999; CREATE DOMAIN pg_temp_99999999.held AS int};
$t->destination_sql($make);
my ($said_of_all) = leftovers();
like($said_of_all, qr/: a superuser removes them with DROP SCHEMA IF EXISTS pg_temp_99999999, pg_toast_temp_99999999 CASCADE$/, 'what a crash has left is named');
$t->destination_sql($said_of_all =~ s/.*with (?=DROP)//r);
is(scalar leftovers(), 0, 'and is gone once the remedy is done');
my $role = $t->destination_is_greenplum6 ? 'gp_session_role' : 'gp_role';
# A segment that crashed has lost a schema which the coordinator still has.
SluiceTest::psql($t->destination_conninfo . " options='-c $role=utility'", $make);
my ($said_of_some) = leftovers();
$t->destination_sql($said_of_some =~ s/.*with (?=DROP)//r);
is(scalar leftovers(), 0, 'the remedy works, too, where a segment lacks the schema');
my $segment = $t->destination_sql(q{SELECT 'host=' || address || ' port=' || port FROM gp_segment_configuration WHERE content = 1 AND role = 'p'}) . " options='-c $role=utility'";
my $in_segment = $t->destination_conninfo =~ s/\b(?:host|port)=\S+//gr . " $segment";
SluiceTest::psql($in_segment, $make);
my ($said_of_one) = leftovers();
like($said_of_one, qr/on segment 1 alone: .*\(\Q$segment\E, this database\) with DROP SCHEMA /, 'what only a segment has, too');
SluiceTest::psql($in_segment, $said_of_one =~ s/.*with (?=DROP)//r);
is(scalar leftovers(), 0, 'and its remedy works');

done_testing();
