#!/usr/bin/perl
# A slot that survives a switchover: to a standby that has all that was
# applied, and to one that has not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { tcp => 1 });
$t->source_sql('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i FROM generate_series(1, 100) i');
$t->configure({ source => { failover => JSON::PP::true } });

if ($t->source_sql('SHOW server_version_num') < 170000)
{
	$t->fails_like(['check'], 3, qr/source\.failover needs PostgreSQL 17, this is \d+: leave it out/, 'an older server');
	$t->fails_like([ 'run', '--until', 'current' ], 3, qr/source\.failover needs PostgreSQL 17/, 'run says so, too');
	done_testing();
	exit;
}

# Made without, a slot is marked by the next run.
$t->configure;
$t->run_ok('run', '--until', 'current');
my $slot = q{SELECT failover FROM pg_replication_slots WHERE slot_name = 'sluice_test'};
is($t->source_sql($slot), 'f', 'a slot as any other');
$t->configure({ source => { failover => JSON::PP::true } });
$t->run_ok('run', '--until', 'current');
is($t->source_sql($slot), 't', 'is marked by the next run');
$t->run_ok('drop');
$t->configure({ source => { failover => JSON::PP::true }, initial_copy => { existing => 'clear' } });
$t->run_ok('run', '--until', 'current');
is($t->source_sql($slot), 't', 'made with it, it has it from the beginning');

# A standby that keeps a copy of the slot.
sub standby_of
{
	my ($primary, $name) = @_;
	$primary->safe_psql('postgres', qq{SELECT pg_create_physical_replication_slot('$name')});
	$primary->backup($name);
	my $standby = PostgreSQL::Test::Cluster->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	my $conninfo = ($primary->connstr('postgres') . ' user=postgres') =~ s/'/''/gr;
	$standby->append_conf('postgresql.conf', "sync_replication_slots = on\nhot_standby_feedback = on\nprimary_slot_name = '$name'\nprimary_conninfo = '$conninfo'");
	$standby->start;
	$t->source_sql("UPDATE t SET v = '$name'; INSERT INTO t SELECT max(id) + 1 FROM t");
	$t->run_ok('run', '--until', 'current');
	$t->poll_ok(sub { $standby->safe_psql('postgres', "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'sluice_test' AND synced AND NOT temporary") == 1 },
		"$name has the slot");
	return $standby;
}

sub switch_over
{
	my ($primary, $standby) = @_;
	$primary->stop;
	$standby->promote;
	$t->{source}{conninfo} = $standby->connstr('shop') . ' user=postgres';
	$t->configure({ source => { failover => JSON::PP::true } });
}

my $first = standby_of($t->source, 'first');
$t->source_sql('INSERT INTO t SELECT max(id) + 1 FROM t');
$t->source->wait_for_catchup($first, 'replay', $t->source->lsn('insert'));
switch_over($t->source, $first);
$t->run_ok('check');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');
$t->source_sql('DELETE FROM t WHERE id < 50');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');

# One that has not heard of what was applied.
my $second = standby_of($first, 'second');
$second->append_conf('postgresql.conf', "primary_conninfo = ''");
$second->reload;
$t->poll_ok(sub { $second->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_wal_receiver') == 0 }, 'it is cut off');
$t->source_sql('INSERT INTO t SELECT max(id) + 1 FROM t');
$t->run_ok('run', '--until', 'current');
switch_over($first, $second);
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/from timeline 2 to 3 .* what was applied may not be in its history/, 'a standby that is behind the destination');

done_testing();
