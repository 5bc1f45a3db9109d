#!/usr/bin/perl
# Indexes that follow and rows that they refuse: rows from before an index was created, and from after it was dropped.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

$ENV{SLUICE_TEST_UPKEEP} = '100000000,100000000,100,600,300';

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
# A unique index has to contain the distribution key.
my @overrides = map { +{ source => "public.$_", distributed_by => ['id'] } } $greenplum ? qw(once held) : ();
my %config = (tables => { overrides => \@overrides }, schema => { indexes => 'all', partitions => 'keep' }, wal => { heartbeat => '500ms' }, apply => { memory => '16MB', max_bytes => '1MB' });

sub target { return $t->destination_sql($_[0]); }
sub state_of { my ($table) = @_; return (grep { $_->{source} eq "public.$table" } @{ $t->status->{tables} })[0]; }
# Ends a transaction that is held with COMMIT.
sub commit { my ($held) = @_; ${ $held->{in} } .= "COMMIT;\n\\q\n"; $held->{run}->finish; return; }

my $filler = q{INSERT INTO filler (pad) SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 1000) i, generate_series(1, 50) j GROUP BY i};
$t->source_sql(q{
	CREATE TABLE share (id int PRIMARY KEY, v int); CREATE TABLE filler (id serial PRIMARY KEY, pad text);
	CREATE TABLE once (id int, n int, v int, PRIMARY KEY (id, n)); CREATE UNIQUE INDEX once_v ON once (id, v); INSERT INTO once VALUES (1, 1, 1);
	CREATE TABLE held (id int, n int, v int, PRIMARY KEY (id, n)); CREATE UNIQUE INDEX held_v ON held (id, v); INSERT INTO held VALUES (1, 1, 1);
	CREATE TABLE typed (id int PRIMARY KEY, v int); CREATE INDEX typed_v ON typed ((v + 1)); INSERT INTO typed VALUES (1, 1);
	CREATE TABLE moved (id int PRIMARY KEY, v int); INSERT INTO moved SELECT i, i FROM generate_series(1, 100) i;
	CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	INSERT INTO parts VALUES (1, 1)});
$t->configure({ %config, apply => { %{ $config{apply} }, rate => '1MB/s' } });
$t->run_ok('run', '--until', 'current');

# ---- rows from before an index was created

$t->source_sql($_) for 'INSERT INTO share VALUES (1, 1)', ($filler) x 2, 'UPDATE share SET v = 0', ($filler) x 2, 'UPDATE share SET v = 2', 'CREATE INDEX share_v ON share ((10 / v))';
$t->start;
$t->equal_ok('public.share', wait => 1);
ok($t->running, 'a backlog brings rows that a later index would refuse');
is(() = $t->log =~ /dropped the index/, 0, 'which is not there yet');
$t->indexes_ok('share', 'share_v', 'it is built behind them');
is($t->stop, 0, 'stop');
# A run that ends by itself builds, whatever is on the way: what it has built goes when it refuses a row.
my $behind = $t->source_sql('SELECT pg_current_wal_insert_lsn()');
$t->source_sql($_) for 'CREATE TABLE past (id int PRIMARY KEY, v int)', 'INSERT INTO past VALUES (1, 1)';
$t->run_ok('run', '--until', 'current');
my $until = $t->source_sql('SELECT pg_current_wal_insert_lsn()');
$t->source_sql($_) for 'UPDATE past SET v = 0', 'UPDATE past SET v = 2', 'CREATE INDEX past_v ON past ((10 / v))';
$t->run_ok('run', '--until', $until);
$t->configure(\%config);
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.past');
$t->run_ok('run', '--until', 'current');
is($t->indexes('past'), 'past_v', 'a run up to a position of the past is no exception');

# ---- a position that is reached within a large transaction

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE share IN EXCLUSIVE MODE');
$t->source_sql('UPDATE share SET v = 3');
$until = $t->source_sql('SELECT pg_current_wal_insert_lsn()');
$t->source_sql(q{INSERT INTO filler (pad) SELECT md5(random()::text) || repeat('x', 400) FROM generate_series(1, 80000) i});
$t->start('--until', $until);
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_locks WHERE NOT granted}) > 0 }, 'a batch waits, while a large transaction is received');
SluiceTest::release($lock);
is($t->wait_for_end, 0, 'the run ends');

# ---- the table is altered while its index is built

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
my $reader = SluiceTest::hold($t->destination_conninfo, 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE filler IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX moved_v ON moved (v)');
$t->poll_ok(sub { target(q{SELECT count(*) FROM sluice.indexes WHERE name LIKE 'sluice_index_%'}) > 0 || $t->indexes('moved') eq 'moved_v' }, 'a build');
$t->source_sql('ALTER TABLE moved ADD COLUMN n int; INSERT INTO moved VALUES (1000, 1, 1)');
$t->equal_ok('public.moved', wait => 1);
SluiceTest::release($reader);
$t->indexes_ok('moved', 'moved_v', 'an index is built although its table is altered meanwhile');
ok($t->running, 'the daemon runs');

# ---- the target is exchanged while an index is due

$lock = SluiceTest::hold($t->destination_conninfo, 'CREATE TABLE moved_new (LIKE moved INCLUDING ALL); ALTER TABLE moved RENAME TO moved_old; ALTER TABLE moved_new RENAME TO moved');
$t->source_sql('CREATE INDEX moved_n ON moved (n)');
$t->poll_ok(sub { ($t->log =~ /moved/) && (state_of('moved')->{indexing} // '') =~ /locked/ }, 'a target that is locked rests');
commit($lock);
$t->poll_ok(sub { (state_of('moved')->{indexing} // '') =~ /another table has the target's name/ }, 'the table of others is not built on');
unlike($t->indexes('moved'), qr/moved_n$|sluice_index/, 'it is as others made it');
target('DROP TABLE moved; ALTER TABLE moved_old RENAME TO moved');
$t->poll_ok(sub { $t->indexes('moved') =~ /moved_n/ }, 'when the target is back it gets the index');

# ---- an index that the source has dropped, and a reader

$reader = SluiceTest::hold($t->destination_conninfo, 'SELECT count(*) FROM once');
$t->source_sql('BEGIN; DROP INDEX once_v; INSERT INTO once VALUES (1, 2, 1); COMMIT');
$t->poll_ok(sub { $t->log =~ /others have locked the target.*trying again/ }, 'while somebody reads the target, an index that refuses a row is a reason to wait');
SluiceTest::release($reader);
$t->equal_ok('public.once', wait => 1);
ok($t->running, 'then the row comes');

$t->source_sql('BEGIN; DROP INDEX typed_v; ALTER TABLE typed ALTER v TYPE text; INSERT INTO typed VALUES (2, 2); COMMIT');
$t->equal_ok('public.typed', wait => 1);
isnt(state_of('typed')->{state}, 'held', 'a dropped index does not forbid that its table is altered');

# ---- partitions

SKIP: {
	skip 'this destination attaches no indexes', 2 if $greenplum && target('SHOW server_version_num') < 120000;
	my $partition = target(q{SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'parts'::regclass});
	target("CREATE INDEX of_others ON $partition (v)");
	$t->source_sql('CREATE INDEX parts_v ON parts (v)');
	$t->poll_ok(sub { (state_of('parts')->{indexing} // '') =~ /a partition of the target has an index of its own/ }, q{an index of others at a partition is not made a part of ours});
	$t->source_sql('DROP INDEX parts_v');
	$t->wait_applied_ok('a drop');
	like($t->indexes($partition), qr/of_others/, 'and stays');
}
is($t->stop, 0, 'stop');

# ---- a table that would be held

$t->configure({ %config, apply => { %{ $config{apply} }, refused => 'hold' } });
target('ALTER TABLE held ADD CHECK (v < 1000)');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql('BEGIN; DROP INDEX held_v; INSERT INTO held VALUES (1, 2, 1); COMMIT');
$t->equal_ok('public.held', wait => 1);
is(state_of('held')->{state}, 'streaming', 'a table is not held for an index that the source has dropped');
$t->source_sql('INSERT INTO held VALUES (2, 2, 2000)');
$t->poll_ok(sub { state_of('held')->{state} eq 'held' }, 'but for a condition of others');
ok($t->running, 'the other tables go on');
is($t->stop, 0, 'stop');
$t->all_equal_ok(map { "public.$_" } qw(share filler once typed moved parts past));

done_testing();
