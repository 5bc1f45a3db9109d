#!/usr/bin/perl
# What a destination is is told by what it has, whatever it calls itself; and a
# session there does without what the server refuses, but never without what
# values depend on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('its catalogs are tampered with');

my $t = SluiceTest->new;
$t->source_sql(q{CREATE TABLE things (id int PRIMARY KEY, at timestamptz); INSERT INTO things VALUES (1, '2026-02-01 12:00:00+00')});

sub check_like
{
	my ($status, $pattern, $name, %destination) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->configure({ destination => { conninfo => $t->destination_conninfo, %destination } });
	my $run = $t->sluice("check");
	is($run->{status}, $status, "$name: status") or diag($run->{stderr});
	like($run->{stdout} . $run->{stderr}, $pattern, $name);
}

check_like(0, qr/^ok +dialect +destination: postgresql: PostgreSQL [^\n]*, without gp_distribution_policy$/m, 'PostgreSQL');
check_like(2, qr/dialect is "greenplum6", but the server is PostgreSQL .*, which is "postgresql"/, 'is not of the family', dialect => 'greenplum6');

# ---- settings that the server refuses

$t->destination_sql(q{
	SET allow_system_table_mods = on;
	CREATE TABLE public.refused (name text);
	ALTER FUNCTION pg_catalog.set_config(text, text, boolean) RENAME TO set_config_really;
	CREATE FUNCTION pg_catalog.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM public.refused r WHERE pg_catalog.lower(r.name) = pg_catalog.lower($1)) THEN
			RAISE insufficient_privilege USING MESSAGE = 'permission denied to set parameter';
		END IF;
		RETURN pg_catalog.set_config_really($1, $2, $3);
	END $$;
});
check_like(0, qr/^ok +dialect/m, 'a server that refuses nothing');
unlike($t->run_ok('check')->{stdout}, qr/ settings /, 'is not spoken of');
$t->destination_sql(q{INSERT INTO refused VALUES ('random_page_cost'), ('lock_timeout')});
check_like(0, qr/^warning +settings +destination: the server refuses .*: lock_timeout, random_page_cost$/m, 'settings that a session can do without');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.things');
$t->destination_sql(q{INSERT INTO refused VALUES ('datestyle')});
check_like(3, qr/setting "DateStyle": .*permission denied to set parameter/, 'one by which values are written');
$t->destination_sql('TRUNCATE refused');

# ---- the catalog of the family

$t->destination_sql(q{SET allow_system_table_mods = on; CREATE TABLE pg_catalog.gp_distribution_policy (localoid oid, distkey int2vector)});
my $detected = $t->destination_version >= 140000 ? 'cloudberry' : 'greenplum7';
my $other = $detected eq 'cloudberry' ? 'greenplum7' : 'cloudberry';
my $facts = qr/PostgreSQL [^\n]*, with gp_distribution_policy/;
check_like(0, qr/^ok +dialect +destination: $detected: $facts$/m, 'told by its catalog');
check_like(0, qr/^warning +dialect +destination: $other, as destination\.dialect says; the server is $facts, which is $detected$/m, 'the configuration wins', dialect => $other);
check_like(2, qr/dialect is "postgresql", but the server is $facts, which is "$detected"/, 'but it is not PostgreSQL', dialect => 'postgresql');

done_testing();
