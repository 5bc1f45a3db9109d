#!/usr/bin/perl
# Indexes follow at the ends and beginnings of runs: while a statement about one is under way, after all tables were copied again,
# and when rows of the past meet a unique one that the source has made again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

$ENV{SLUICE_TEST_UPKEEP} = '100000000,100000000,100,600,300';

my $t = SluiceTest->new;
# A unique index has to contain the distribution key.
my @overrides = $t->destination_is_greenplum ? { source => 'public.d', distributed_by => ['id'] } : ();
my %config = (tables => { overrides => \@overrides }, schema => { indexes => 'all' }, wal => { heartbeat => '200ms' });
sub target { return $t->destination_sql($_[0]); }

$t->source_sql('CREATE TABLE d (id int, n int, v int, PRIMARY KEY (id, n)); CREATE UNIQUE INDEX d_once ON d (id, v); CREATE INDEX d_v ON d (v); INSERT INTO d VALUES (1, 1, 1)');
$t->configure(\%config);
$t->run_ok('run', '--until', 'current');
is($t->indexes('d'), 'd_once d_v', 'a target with two indexes');

# ---- a run ends while a reader keeps an index from being dropped

my $reader = SluiceTest::hold($t->destination_conninfo, 'SELECT count(*) FROM d');
$t->source_sql('DROP INDEX d_v');
for my $try (1 .. 3)
{
	$t->start('--until', $t->source_sql('SELECT pg_current_wal_insert_lsn() + 8000000'));
	$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE '%DROP INDEX%' AND state = 'active'}) > 0 }, 'an index is to be dropped');
	$t->source_sql(q{SELECT pg_logical_emit_message(false, 'x', repeat('x', 9000000))});
	is($t->wait_for_end, 0, 'the run ends');
}
SluiceTest::release($reader);
$t->run_ok('run', '--until', 'current');
is($t->indexes('d'), 'd_once', 'the next one drops it');

# ---- rows from between a unique index and the one that the source has made in its place

my $behind = $t->source_sql('SELECT pg_current_wal_insert_lsn()');
$t->source_sql($_) for 'DROP INDEX d_once', 'INSERT INTO d VALUES (1, 2, 1)', 'UPDATE d SET v = 2 WHERE n = 2', 'CREATE UNIQUE INDEX d_once ON d (id, v)';
$t->run_ok('run', '--until', $behind);
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.d');

# ---- the only table is copied again while the daemon runs

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->run_ok('table', 'resync', 'public.d');
$t->source_sql('INSERT INTO d VALUES (2, 2, 2)');
$t->equal_ok('public.d', wait => 1);
$t->source_sql('CREATE INDEX d_later ON d (v, n)');
$t->poll_ok(sub { $t->indexes('d') =~ /d_later/ }, 'its indexes follow behind that');
is($t->stop, 0, 'stop');

# ---- another table in its place, without the indexes and with another type

$t->source_sql('DROP TABLE d; CREATE TABLE d (id int, n int, v text, PRIMARY KEY (id, n)); INSERT INTO d VALUES (3, 3, $$three$$)');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.d');
is(target("SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'd'::regclass AND attname = 'v'"), 'text', 'the target is altered');
is($t->indexes('d'), '', 'its indexes are dropped before');

done_testing();
