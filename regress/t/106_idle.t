#!/usr/bin/perl
# The database of the task rests while another one writes: the slot moves on
# all the same, never beyond what the destination knows, so the source can
# recycle its WAL.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE keyed (id int PRIMARY KEY); INSERT INTO keyed SELECT generate_series(1, 10);
	CREATE DATABASE other');
(my $other = $t->source_conninfo) =~ s/shop/other/;
SluiceTest::psql($other, 'CREATE TABLE noise (v text)');
$t->configure({ wal => { heartbeat => '200ms' } });
$t->run_ok('run', '--until', 'current');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

sub slot
{
	my ($column) = @_;
	return $t->source_sql("SELECT $column FROM pg_replication_slots WHERE slot_name = 'sluice_test'");
}

for my $round (1 .. 3)
{
	my $began = slot('restart_lsn');
	SluiceTest::psql($other, "INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
	my $lsn = $t->source_sql('SELECT pg_current_wal_flush_lsn()');
	$t->poll_ok(sub { slot("confirmed_flush_lsn >= '$lsn'") eq 't' }, 'the slot is confirmed beyond the noise');
	my $confirmed = slot('confirmed_flush_lsn');
	is($t->destination_sql("SELECT applied_lsn >= '$confirmed' FROM sluice.progress"), 't',
		'and not beyond the position of the destination');
	$t->poll_ok(sub {
		$t->source_sql('CHECKPOINT');
		slot("restart_lsn > '$began'") eq 't';
	}, 'what it holds back moves on');
}

# In perfect silence nothing is written.
my $still = sub { join ' ', $t->source_sql('SELECT pg_current_wal_insert_lsn()'),
	$t->destination_sql('SELECT updated_at FROM sluice.progress') };
ok(SluiceTest::poll(sub { my $before = $still->(); sleep 1; $still->() eq $before }),
	'heartbeats write nothing when nothing happens');

$t->source_sql('INSERT INTO keyed VALUES (11)');
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.keyed');

# A transaction that stays open holds back WAL, and the log says so.
$t->configure({ wal => { heartbeat => '200ms', warn => '1MB' } });
my $open = SluiceTest::hold($t->source_conninfo, 'INSERT INTO keyed VALUES (12)');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
SluiceTest::psql($other, "INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
$t->poll_ok(sub { $t->log =~ /slot sluice_test holds back \d+ MB of WAL/ }, 'retained WAL is warned of');
like($t->log, qr/holds back \d+ MB of WAL at the source \(wal_status \w+\), more than wal\.warn: .*; the oldest is that of process \d+ \(postgres, shop\), open for \d+ s$/m,
	'and the transaction named');
my $status = $t->status;
ok($status->{retained_wal_warning}, 'status says it, too');
like($status->{oldest_transaction}, qr/^process \d+ \(postgres, shop\)$/, 'and by whom');
cmp_ok($status->{oldest_transaction_seconds}, '>=', 0, 'and for how long');
like($status->{wal_status}, qr/^(reserved|extended)$/, 'the state of the slot');
like($t->run_ok('status')->{stdout}, qr/^retained WAL  \S+ MB, \w+ \(warning: more than 1\.0 MB\)\nopen longest  process \d+ \(postgres, shop\), for \d+ s$/m, 'the text');
SluiceTest::release($open);
is($t->stop, 0, 'SIGTERM ends it');

done_testing();
