#!/usr/bin/perl
# A slot, a progress row or a source that is not what it was: every start
# refuses and says which, nothing changes, until `drop` makes a fresh start
# possible.  Looking at the slot does no harm.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $slot = 'sluice_test';
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 100) i;
	INSERT INTO bag SELECT i % 3, NULLIF('b' || i % 2, 'b0') FROM generate_series(1, 100) i;
});
my @tables = qw(public.keyed public.bag);
$t->configure({ initial_copy => { existing => 'clear' } });

my $round = 0;
sub change
{
	my $r = ++$round;
	$t->source_sql("BEGIN; INSERT INTO keyed VALUES (1000 + $r, 'new');
		INSERT INTO bag SELECT $r % 5, NULL FROM generate_series(1, 3); COMMIT");
}

sub contents
{
	return $t->destination_sql("SELECT count(*) FROM keyed UNION ALL SELECT count(*) FROM bag
		UNION ALL SELECT count(*) FROM sluice.progress UNION ALL SELECT count(*) FROM sluice.tables");
}

# Every start is refused in the same words and changes nothing; so does `check`.
sub refuses_ok
{
	my ($name, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = contents();
	# A task that has worked once does not end with 3.
	my $status = $t->destination_sql('SELECT count(*) FROM sluice.progress') ? 1 : 3;
	$t->fails_like([ 'run', '--until', 'current' ], $status, $pattern, $name);
	$t->fails_like([ 'run', '--until', 'current' ], $status, $pattern, "$name, once more");
	my $check = $t->sluice('check');
	is($check->{status}, 3, "$name: check fails too");
	like($check->{stdout}, $pattern, "$name: and says the same");
	is(contents(), $before, "$name: nothing has changed");
}

sub starts_afresh_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->run_ok('drop');
	change();
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
}

$t->run_ok('run', '--until', 'current');

# ---- what does no harm

change();
is($t->source_sql("SELECT count(*) > 0 FROM pg_logical_slot_peek_binary_changes('$slot', NULL, NULL)"),
	't', 'the slot has changes to show');
$t->source_sql('CHECKPOINT');
change();
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

# ---- the slot

change();
$t->source_sql("SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())");
change();
refuses_ok('a slot that was advanced', qr/moved or recreated by others.*lost.*sluice drop/);
starts_afresh_ok();

change();
$t->source_sql("SELECT count(*) FROM pg_logical_slot_get_binary_changes('$slot', NULL, NULL)");
refuses_ok('a slot whose changes another has taken', qr/moved or recreated by others/);
starts_afresh_ok();

change();
$t->source_sql("SELECT pg_drop_replication_slot('$slot')");
refuses_ok('a slot that was dropped', qr/it is gone: the changes after .* are lost.*sluice drop/);

$t->source_sql("SELECT pg_create_logical_replication_slot('$slot', 'sluice')");
refuses_ok('a slot that was recreated', qr/moved or recreated by others/);

$t->source_sql("SELECT pg_drop_replication_slot('$slot')");
$t->source_sql("SELECT pg_create_logical_replication_slot('$slot', 'test_decoding')");
refuses_ok('a slot of another plugin', qr/belongs to the output plugin test_decoding/);
$t->source_sql("SELECT pg_drop_replication_slot('$slot')");
starts_afresh_ok();

# One that was recreated while nothing at all happened.
$t->run_ok('run', '--until', 'current');
$t->source_sql("SELECT pg_drop_replication_slot('$slot')");
$t->source_sql("SELECT pg_create_logical_replication_slot('$slot', 'sluice')");
refuses_ok('a slot that was recreated in silence', qr/moved or recreated by others/);
starts_afresh_ok();

sub set
{
	my ($name, $value) = @_;
	$t->source->safe_psql('postgres', $_) for "ALTER SYSTEM SET $name = $value", 'SELECT pg_reload_conf()';
}

# The server removes the WAL that it needs.
change();
set('max_slot_wal_keep_size', q('1MB'));
ok(SluiceTest::poll(sub {
	$t->source_sql('SELECT pg_switch_wal()');
	change();
	$t->status->{wal_status} eq 'unreserved';
}), 'the slot is unreserved');
ok($t->status->{retained_wal_warning}, 'status warns of it');
like($t->run_ok('status')->{stdout}, qr/^retained WAL  \S+ MB, unreserved \(warning: the server may give the slot up at the next checkpoint\)$/m, 'and says why');
like($t->run_ok('check')->{stdout}, qr/^warning +slot +\Q$slot\E: .*may be given up at the next checkpoint/m, 'so does check');
$t->source_sql('CHECKPOINT');
refuses_ok('a slot that the server gave up', qr/the server gave it up \(wal_removed\): changes are lost; .*sluice drop/);
ok($t->status->{retained_wal_warning}, 'status warns of that, too');
like($t->run_ok('status')->{stdout}, qr/^retained WAL  0 B, lost \(warning: the server gave the slot up; /m, 'in words');
set('max_slot_wal_keep_size', -1);
starts_afresh_ok();

if (SluiceTest::knows_setting('idle_replication_slot_timeout'))
{
	set('idle_replication_slot_timeout', q('1s'));
	change();
	$t->poll_ok(sub { $t->source_sql('CHECKPOINT'); $t->source_sql("SELECT wal_status = 'lost' FROM pg_replication_slots") eq 't' },
		'the server gives up a slot that nobody reads');
	refuses_ok('a slot that nobody read', qr/the server gave it up \(idle_timeout\): changes are lost/);
	set('idle_replication_slot_timeout', 0);
	starts_afresh_ok();
}

# ---- the slot during a copy: at the start of the run all was well

for my $deed ("SELECT pg_replication_slot_advance('$slot', pg_current_wal_lsn())", "SELECT pg_drop_replication_slot('$slot')")
{
	$t->run_ok('drop');
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE bag IN EXCLUSIVE MODE');
	$t->start;
	$t->poll_ok(sub { $t->log =~ /copied public\.keyed/ }, 'the copy is under way');
	change();
	$t->source_sql($deed);
	change();
	SluiceTest::release($lock);
	is($t->wait_for_end, 1, "during the copy: $deed");
	like($t->log, qr/slot "$slot".*(moved|gone).*lost[^\n]*\n\z/, 'it says so');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/slot.*(moved|gone)/, 'and says it again');
	starts_afresh_ok();
}

# ---- the progress row

my $position = $t->destination_sql('SELECT applied_lsn FROM sluice.progress');
change();
$t->run_ok('run', '--until', 'current');
$t->destination_sql("UPDATE sluice.progress SET applied_lsn = '$position'");
refuses_ok('a position that was set back', qr/moved or recreated by others.*destination is at \Q$position\E/);
starts_afresh_ok();

$t->destination_sql("UPDATE sluice.progress SET applied_lsn = 'F/0'");
refuses_ok('a position ahead of the source', qr{destination is at F/0+, ahead of the source});
starts_afresh_ok();

$t->destination_sql('DELETE FROM sluice.progress');
refuses_ok('a row that was deleted', qr/destination has no progress of task "test"/);
starts_afresh_ok();

$t->destination_sql("UPDATE sluice.progress SET source_database = 'other'");
refuses_ok('a row of another database', qr/another database.*"shop".*"other"/);
starts_afresh_ok();

# The row goes while the daemon runs.
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->destination_sql('DELETE FROM sluice.progress');
my $before = $t->destination_sql('SELECT count(*) FROM keyed');
change();
is($t->wait_for_end, 1, 'a row that is deleted under way ends it');
is($t->destination_sql('SELECT count(*) FROM keyed'), $before, 'and nothing is applied');
starts_afresh_ok();

# ---- the source

my $other = SluiceTest->new(source => { name => 'other' }, destination => 0);
$other->source_sql('CREATE TABLE keyed (id int PRIMARY KEY, v text); CREATE TABLE bag (a int, b text)');
$t->run_ok('run', '--until', 'current');
my $settings = { initial_copy => { existing => 'clear' } };
$t->configure({ %$settings, source => { conninfo => $other->source_conninfo } });
refuses_ok('another source', qr/another source: its system identifier is \d+, the task's is \d+/);
$t->configure($settings);
change();
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

done_testing();
