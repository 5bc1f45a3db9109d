#!/usr/bin/perl
# Indexes that follow lose no row, stop nothing, and touch nothing of others: whatever a role of the source, a reader or
# a colleague at the destination, or the end of a daemon does meanwhile.
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
my @overrides = map { +{ source => "public.$_", distributed_by => ['id'] } } $greenplum ? qw(large streamed) : ();
my %config = (tables => { overrides => \@overrides }, schema => { indexes => 'all' }, wal => { heartbeat => '500ms' }, apply => { memory => '16MB', max_bytes => '1MB' });

sub target { return $t->destination_sql($_[0]); }
sub mallory { return $t->source_conninfo =~ s/user=postgres/user=mallory/r; }
# Ends a transaction that is held with COMMIT.
sub commit { my ($held) = @_; ${ $held->{in} } .= "COMMIT;\n\\q\n"; $held->{run}->finish; return; }
# A reader whose snapshot keeps an index from being completed concurrently, and writers from being blocked by a build.
sub reader { my ($table) = @_; return SluiceTest::hold($t->destination_conninfo, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE $table IN ROW EXCLUSIVE MODE"); }
sub begun_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE 'CREATE INDEX%' AND state = 'active'}) > 0 }, $name);
	return;
}

$t->source_sql('CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory; CREATE TABLE shown (id int PRIMARY KEY, v int);'
	  . 'CREATE INDEX shown_a ON shown (v); CREATE INDEX shown_b ON shown (v, id); INSERT INTO shown VALUES (1, 1); RESET ROLE; CREATE TABLE others (id int PRIMARY KEY);'
	  . join ' ', map { "CREATE TABLE $_ (id int, n int, v int, pad text, PRIMARY KEY (id, n)); CREATE UNIQUE INDEX ${_}_v ON $_ (id, v);" } qw(large streamed));
$t->configure(\%config);

# ---- renamed while its definition is read

my $waits = q{SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'shown'::regclass};
# What follows the name in the text would begin within this one.
my $evil = 'x' x (length('CREATE INDEX shown_b ON public.shown') + 1 - length('CREATE INDEX "')) . '(id);CREATE TABLE pwned();COMMIT--';
my $lock = SluiceTest::hold(mallory(), qq{LOCK TABLE shown IN ACCESS EXCLUSIVE MODE; ALTER INDEX shown_b RENAME TO "$evil"});
$t->start_verb('run', '--until', 'current');
$t->poll_ok(sub { $t->source_sql($waits) > 0 }, 'a definition is waited for');
commit($lock);
$t->wait_for_end;
is(target(q{SELECT count(*) FROM pg_class WHERE relname = 'pwned'}), 0, 'no name runs as a statement');
$t->run_ok('run', '--until', 'current');
is(target(q{SELECT count(*) FROM pg_class WHERE relname = 'pwned'}), 0, 'nor later');
like($t->indexes('shown'), qr/x+\(id\);CREATE TABLE pwned\(\);COMMIT--/, 'it is a name');

# ---- locked at the source, while others stream

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql('SET ROLE mallory; CREATE INDEX shown_c ON shown (id, v)');
$lock = SluiceTest::hold(mallory(), q{LOCK TABLE shown IN ACCESS EXCLUSIVE MODE});
for my $id (1, 2, 3)
{
	$t->source_sql("INSERT INTO others VALUES ($id)");
	$t->poll_ok(sub { target("SELECT count(*) FROM others WHERE id = $id") == 1 }, 'other tables go on while one is locked');
}
SluiceTest::release($lock);
$t->poll_ok(sub { $t->indexes('shown') =~ /shown_c/ }, 'then its index follows');

# ---- the target is others' while ours is to be built, and a name means another index while a drop waits

$t->source_sql('CREATE TABLE swapped (id int PRIMARY KEY, v int); INSERT INTO swapped VALUES (1, 1)');
$t->equal_ok('public.swapped', wait => 1);
my $reader = reader('swapped');
$t->source_sql('CREATE INDEX swapped_v ON swapped (v)');
begun_ok('a build waits');
SluiceTest::release($reader);
$t->indexes_ok('swapped', 'swapped_v', 'it is built');
target('CREATE INDEX swapped_theirs ON swapped (v)');
my $theirs = target(q{SELECT 'swapped_theirs'::regclass::oid});
$lock = SluiceTest::hold($t->destination_conninfo, 'ALTER INDEX swapped_v RENAME TO ours; ALTER INDEX swapped_theirs RENAME TO swapped_v; LOCK TABLE swapped IN ACCESS EXCLUSIVE MODE');
$t->source_sql('DROP INDEX swapped_v; INSERT INTO others VALUES (4)');
$t->poll_ok(sub { target('SELECT count(*) FROM others WHERE id = 4') == 1 }, 'a locked target keeps no other waiting');
commit($lock);
$t->indexes_ok('swapped', 'swapped_v', 'ours is dropped');
is(target("SELECT count(*) FROM pg_class WHERE oid = $theirs"), 1, 'and not the one that has its name now');

# ---- an index that the source has rebuilt, and a row of another table that is refused

$t->source_sql('CREATE TABLE kept (id int PRIMARY KEY, v int); INSERT INTO kept VALUES (1, 1); CREATE INDEX kept_v ON kept (v)');
$t->poll_ok(sub { target(q{SELECT to_regclass('kept_v') IS NOT NULL}) eq 't' }, 'another index');
my $kept = target(q{SELECT 'kept_v'::regclass::oid});
is($t->stop, 0, 'it stops');
$t->source_sql($_) for 'REINDEX INDEX CONCURRENTLY kept_v', 'INSERT INTO others VALUES (5)';
target('ALTER TABLE others ADD CHECK (id < 5)');
is($t->sluice('run', '--until', 'current')->{status}, 1, 'a row is refused');
target('ALTER TABLE others DROP CONSTRAINT others_id_check');
is(target(q{SELECT 'kept_v'::regclass::oid}), $kept, 'the index of another table stays');

# Two of the source that are the same are one at the target.
$t->source_sql('CREATE INDEX kept_twin ON kept (v); DROP INDEX kept_v');
$t->run_ok('run', '--until', 'current');
is($t->indexes('kept'), 'kept_v', 'of two twins one is dropped');
$t->source_sql('DROP INDEX kept_twin');
$t->run_ok('run', '--until', 'current');
is($t->indexes('kept'), '', 'and the other');

# ---- stale unique indexes: a copy at the start, and a transaction larger than memory

is($t->indexes('large'), 'large_v', 'a table was created with a unique index');
$t->source_sql(q{DROP INDEX large_v; BEGIN; INSERT INTO large SELECT i % 100, i, 7, repeat(md5(i::text), 20) FROM generate_series(1, 40000) i; COMMIT});
$t->run_ok('table', 'resync', 'public.large');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.large');
is($t->indexes('large'), '', 'a copy meets no index that the source has dropped');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql(q{BEGIN; DROP INDEX streamed_v; INSERT INTO streamed SELECT i % 100, i, 7, repeat(md5(i::text), 20) FROM generate_series(1, 40000) i; COMMIT});
$t->equal_ok('public.streamed', wait => 1);
ok($t->running, 'a large transaction brings rows that the dropped index refuses');

# ---- others' old snapshots and locks, and ends of the daemon in between

$t->source_sql('CREATE TABLE g (id int PRIMARY KEY, v int); INSERT INTO g SELECT i, i FROM generate_series(1, 10) i');
$t->equal_ok('public.g', wait => 1);
$reader = reader('g');
$t->source_sql('CREATE INDEX g_v ON g (v)');
begun_ok('a build waits for a reader');
$t->source_sql('INSERT INTO g VALUES (11, 11)');
$t->equal_ok('public.g', wait => 1);
$t->kill9;
SluiceTest::release($reader);
$reader = SluiceTest::hold($t->destination_conninfo, 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$t->run_ok('table', 'resync', 'public.g');
$t->start;
$t->poll_ok(sub { $t->log =~ /copied public\.g: / }, 'after a kill in it the table is copied, whoever reads');
$t->source_sql('INSERT INTO g VALUES (12, 12)');
$t->equal_ok('public.g', wait => 1);
is($t->stop, 0, 'and the daemon stops at once');
$t->source_sql('INSERT INTO g VALUES (13, 13); CREATE INDEX g_until ON g (v, id)');
$t->run_ok('run', '--until', 'current');
like($t->indexes('g'), qr/g_until/, 'a run that ends by itself waits for no snapshot');
SluiceTest::release($reader);

$reader = reader('g');
$t->source_sql('CREATE INDEX g_removed ON g (id, v)');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
begun_ok('a build waits again');
$t->run_ok('table', 'remove', 'public.g');
SluiceTest::release($reader);
$t->poll_ok(sub { $t->indexes('g') !~ /invalid|sluice_index/ && target(q{SELECT count(*) FROM sluice.indexes WHERE target = 'g'::regclass}) == 0 }, 'a table that is removed leaves no part of an index')
  or diag $t->indexes('g');
$t->source_sql('CREATE TABLE h (id int PRIMARY KEY, v int)');
$t->poll_ok(sub { target(q{SELECT to_regclass('h') IS NOT NULL}) eq 't' }, 'a last table');
$reader = reader('h');
$t->source_sql('CREATE INDEX h_v ON h (v)');
begun_ok('its build waits');
is($t->stop, 0, 'it stops');
SluiceTest::release($reader);
$t->all_equal_ok(map { "public.$_" } qw(shown others swapped kept large streamed h));
$t->run_ok('drop');
is($t->indexes('h'), '', 'a dropped task leaves no part of an index');

done_testing();
