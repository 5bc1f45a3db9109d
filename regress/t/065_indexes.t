#!/usr/bin/perl
# CREATE INDEX and DROP INDEX at the source are followed at targets that the program created: outside of the batches,
# without touching what others made there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

# Rows, dead rows (out of reach), a moment of quiet, patience, a pause after a failure, in milliseconds.
$ENV{SLUICE_TEST_UPKEEP} = '100000000,100000000,100,600,300';

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
sub target { return $t->destination_sql($_[0]); }

$t->source_sql(q{
	CREATE TABLE plain (id int PRIMARY KEY, v int, w int, x int); INSERT INTO plain SELECT i, i, i, i FROM generate_series(1, 1000) i;
	CREATE INDEX plain_first ON plain (v); COMMENT ON INDEX plain_first IS 'from the beginning';
	CREATE INDEX plain_rebuilt ON plain (x, v);
	CREATE TABLE seats (id int PRIMARY KEY, seat int, note text); INSERT INTO seats SELECT i, i FROM generate_series(1, 10) i;
	ALTER TABLE seats ADD CONSTRAINT seats_both UNIQUE (id, note);
	CREATE TABLE mapped (id int PRIMARY KEY, v int); INSERT INTO mapped VALUES (1, 1);
	CREATE TABLE parts (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts VALUES (1, 1);
	CREATE TABLE existing (id int PRIMARY KEY, v int, w int); CREATE INDEX existing_v ON existing (v); INSERT INTO existing VALUES (1, 1, 1);
	CREATE FUNCTION evil(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
});
target('CREATE TABLE existing (id int PRIMARY KEY, v int, w int)');
my %config = (schema => { indexes => 'all', partitions => 'keep' }, wal => { heartbeat => '500ms' },
	tables => { overrides => [ { source => 'public.mapped', target => 'dw.other' } ] });
$t->configure(\%config);
$t->run_ok('run', '--until', 'current');
my @tables = map { "public.$_" } qw(plain seats parts existing);

sub indexing { my ($table) = @_; return (grep { $_->{source} eq "public.$table" } @{ $t->status->{tables} })[0]{indexing} // ''; }
sub comment_of { return target("SELECT obj_description('$_[0]'::regclass, 'pg_class')"); }
sub oid_of { return target("SELECT '$_[0]'::regclass::oid"); }

is(comment_of('plain_first'), 'from the beginning', 'comments of indexes are taken over with a created table');

# ---- while it streams

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
my $rebuilt = oid_of('plain_rebuilt');
target('CREATE INDEX of_others ON plain (w)');
$t->source_sql($_) for 'CREATE INDEX CONCURRENTLY plain_second ON plain (v DESC) WHERE w > 0', 'COMMENT ON INDEX plain_second IS $$it\'s new$$',
	'CREATE INDEX plain_like ON plain (w)', 'CREATE INDEX plain_evil ON plain (evil(v))', 'REINDEX INDEX CONCURRENTLY plain_rebuilt',
	'ALTER INDEX plain_rebuilt RENAME TO plain_renamed', 'ALTER TABLE plain RENAME COLUMN x TO y',
	'CREATE INDEX mapped_v ON mapped (v)', 'CREATE INDEX existing_w ON existing (w)';
$t->indexes_ok('plain', 'of_others plain_first plain_rebuilt plain_second', 'a new index is built, unless there is one like it, or it is not known to be harmless');
is(comment_of('plain_second'), q{it's new}, 'with its comment');
$t->poll_ok(sub { $t->indexes('dw.other') =~ /^mapped_v_\d+$/ }, 'the target of another name has a name of its own for it');
is($t->indexes('existing'), '', 'a target that was there keeps what it has');
$t->poll_ok(sub { $t->log =~ /plain: without the index plain_evil: the function public\.evil/ }, 'the log says what is left out');
$t->poll_ok(sub { indexing('plain') =~ /^without the index plain_evil/ }, 'so does status');
is(oid_of('plain_rebuilt'), $rebuilt, 'one that the source has rebuilt and renamed is still the same');

$t->source_sql('DROP INDEX plain_first; DROP INDEX plain_like; DROP INDEX plain_evil; ALTER TABLE plain ALTER v TYPE bigint');
$t->indexes_ok('plain', 'of_others plain_rebuilt plain_second', 'a dropped index is dropped, and none of others');
$t->source_sql('DROP INDEX plain_renamed');
$t->indexes_ok('plain', 'of_others plain_second', 'also when a changed type has made it again');

# ---- unique ones

$t->source_sql('CREATE UNIQUE INDEX seats_once ON seats (seat); ALTER TABLE seats ADD CONSTRAINT seats_late UNIQUE (seat, note) DEFERRABLE INITIALLY DEFERRED');
$t->indexes_ok('seats', 'seats_both seats_late seats_once', 'unique indexes and constraints follow');
is(target(q{SELECT count(*) FROM pg_index WHERE indrelid = 'seats'::regclass AND indisunique AND NOT indisprimary}), 1, 'as indexes that are not unique, which refuse nothing');
$t->source_sql('BEGIN; UPDATE seats SET seat = -1 WHERE id = 1; UPDATE seats SET seat = 1 WHERE id = 2; UPDATE seats SET seat = 2 WHERE id = 1; COMMIT');
$t->source_sql('BEGIN; DROP INDEX seats_once; ALTER TABLE seats DROP CONSTRAINT seats_late; INSERT INTO seats SELECT id + 100, seat FROM seats; COMMIT');
$t->equal_ok('public.seats', wait => 1);
$t->indexes_ok('seats', 'seats_both', 'until the source drops them');

# ---- rows that an index refuses

$t->source_sql('CREATE TABLE once (id int, n int, v int); ALTER TABLE once ADD PRIMARY KEY (id, n); CREATE UNIQUE INDEX once_at_first ON once (id, v);'
	  . 'ALTER TABLE once ADD CONSTRAINT once_too UNIQUE (id, n, v); INSERT INTO once VALUES (1, 1, 1)');
$t->poll_ok(sub { target(q{SELECT to_regclass('once') IS NOT NULL}) eq 't' && $t->indexes('once') eq 'once_at_first once_too' }, 'a table is created with a unique index and a constraint');
$t->source_sql('BEGIN; DROP INDEX once_at_first; INSERT INTO once VALUES (1, 2, 1); COMMIT');
$t->equal_ok('public.once', wait => 1);
ok($t->running, 'rows that the index would refuse come, since it is dropped');
$t->source_sql('ALTER TABLE once DROP CONSTRAINT once_too');
$t->indexes_ok('once', '', 'a constraint is dropped, too');
$t->source_sql('CREATE INDEX seats_share ON seats ((100 / seat))');
$t->poll_ok(sub { $t->indexes('seats') =~ /seats_share/ }, 'an index on an expression is built');
$t->source_sql('BEGIN; DROP INDEX seats_share; UPDATE seats SET seat = 0 WHERE id = 5; COMMIT');
$t->equal_ok('public.seats', wait => 1);
ok($t->running, 'a row for which the expression fails comes, too');
$t->source_sql(q{DELETE FROM seats WHERE seat = 0 OR id > 100});

# Away: the index was dropped and made again, and rows between the two need not be unique.
$t->source_sql('CREATE TABLE pairs (id int PRIMARY KEY, v int); CREATE UNIQUE INDEX pairs_v ON pairs (id, v); CREATE INDEX pairs_share ON pairs ((10 / v)); INSERT INTO pairs VALUES (1, 1)');
$t->poll_ok(sub { target(q{SELECT to_regclass('pairs') IS NOT NULL}) eq 't' && $t->indexes('pairs') eq 'pairs_share pairs_v' }, 'one more table');
is($t->stop, 0, 'it stops');
$t->source_sql($_) for 'DROP INDEX pairs_share', 'INSERT INTO pairs VALUES (2, 0)', 'DELETE FROM pairs WHERE id = 2', 'CREATE INDEX pairs_share ON pairs ((10 / v))', 'DROP INDEX pairs_v';
$t->start;
$t->equal_ok('public.pairs', wait => 1);
ok($t->running, 'no row of the time between is refused for good');
$t->indexes_ok('pairs', 'pairs_share', 'in the end the indexes are those of the source');

# ---- what goes wrong

target('CREATE TABLE taken (a int)');
$t->source_sql(q{CREATE INDEX taken ON seats (note); COMMENT ON INDEX taken IS 'by a table'});
$t->poll_ok(sub { $t->indexes('seats') =~ /^seats_both sluice_index_[0-9a-f]{16}$/ && target(q{SELECT count(*) FROM sluice.indexes WHERE name LIKE 'sluice_index_%' AND index_oid IS NOT NULL}) == 1 }, 'an index whose name is taken has another one');
is(comment_of((split ' ', $t->indexes('seats'))[1]), 'by a table', 'with its comment');
$t->source_sql('DROP INDEX taken');
$t->indexes_ok('seats', 'seats_both', 'and is known by it');
target(q{DROP TABLE taken});

# ---- others at the destination have altered what is ours

$t->source_sql('CREATE INDEX seats_note ON seats (note); CREATE INDEX seats_replaced ON seats (note, seat)');
$t->poll_ok(sub { $t->indexes('seats') =~ /seats_note seats_replaced$/ }, 'two more');
target('DROP INDEX seats_replaced; CREATE INDEX seats_replaced ON seats (seat, note); ALTER INDEX seats_note RENAME TO our_note');
$t->source_sql('DROP INDEX seats_note; DROP INDEX seats_replaced');
$t->poll_ok(sub { $t->indexes('seats') !~ /our_note/ }, 'ours is dropped under whatever name');
$t->poll_ok(sub { target(q{SELECT count(*) FROM sluice.indexes WHERE name = 'seats_replaced'}) == 0 }, 'what others replaced is forgotten');
like($t->indexes('seats'), qr/seats_replaced/, 'and stays');
target('DROP INDEX seats_replaced');

# ---- a destination that blocks writers: a partitioned target, and any on segments

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE parts IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX parts_v ON parts (v)');
$t->poll_ok(sub { $t->log =~ /parts: building the index parts_v gave way, or found the table locked, and is tried again later \(4 times in a row\)/ }, 'it gives way');
$t->source_sql('INSERT INTO parts VALUES (2, 2); INSERT INTO mapped VALUES (2, 2)');
$t->poll_ok(sub { target('SELECT count(*) FROM parts') == 2 && target('SELECT count(*) FROM dw.other') == 2 }, 'and keeps no row waiting, however often that was');
$t->poll_ok(sub { indexing('parts') =~ /^building the index parts_v gave way/ }, 'status says so, …');
$t->poll_ok(sub { indexing('parts') =~ /^the index parts_v is being built; the destination blocks changes of this table meanwhile/ }, '… and what building it means');
SluiceTest::release($lock);
$t->poll_ok(sub { $t->indexes('parts') =~ /^parts_v/ && indexing('parts') eq '' }, 'then it is built');

# ---- an index of a partitioned table that becomes valid with its last part

$t->source_sql('CREATE INDEX parts_whole ON ONLY parts (v, id); CREATE INDEX parts_1_part ON parts_1 (v, id); CREATE INDEX parts_seen ON parts (id, v)');
$t->poll_ok(sub { $t->indexes('parts') =~ /parts_seen/ && indexing('parts') eq '' }, 'one that is not valid is not built');
unlike($t->indexes('parts'), qr/parts_whole/, 'yet');
$t->source_sql('ALTER INDEX parts_whole ATTACH PARTITION parts_1_part');
$t->poll_ok(sub { $t->indexes('parts') =~ /parts_whole/ }, 'but when its last part is attached');
$t->source_sql('DROP INDEX parts_whole; DROP INDEX parts_seen');
$t->poll_ok(sub { $t->indexes('parts') !~ /parts_whole|parts_seen/ }, 'and it is dropped');

# ---- a reader blocks a drop

$lock = SluiceTest::hold($t->destination_conninfo, 'SELECT count(*) FROM plain');
$t->source_sql('DROP INDEX plain_second');
$t->poll_ok(sub { $t->log =~ /plain: dropping the index plain_second gave way/ }, 'a drop does not wait for a reader');
$t->source_sql('INSERT INTO mapped VALUES (3, 3); UPDATE plain SET w = 0 WHERE id = 1');
$t->poll_ok(sub { target('SELECT count(*) FROM dw.other') == 3 && target('SELECT count(*) FROM plain WHERE w = 0') == 1 }, 'so neither does anybody else');
SluiceTest::release($lock);
$t->indexes_ok('plain', 'of_others', 'then it is dropped');

# ---- killed while it builds

$lock = SluiceTest::hold($t->destination_conninfo, 'BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE parts IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX plain_killed ON plain (w, v); CREATE INDEX parts_killed ON parts (v, id)');
$t->poll_ok(sub { target('SELECT count(*) FROM sluice.indexes WHERE index_oid IS NULL AND name IS NOT NULL') > 0 }, 'an index is being built');
$t->kill9;
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'after a kill');
SluiceTest::release($lock);
$t->indexes_ok('plain', 'of_others plain_killed', 'the next daemon completes it, once');
$t->poll_ok(sub { $t->indexes('parts') =~ /^parts_killed.* parts_v\S*$/ }, 'the other, too');

# ---- without a daemon in between

is($t->stop, 0, 'it stops');
target('DROP INDEX plain_killed');
$t->source_sql('CREATE INDEX plain_until ON plain (id, w); DROP INDEX parts_killed');
$t->run_ok('run', '--until', 'current');
is($t->indexes('plain'), 'of_others plain_until', 'a run that ends by itself builds, too; what was dropped at the destination stays so');
unlike($t->indexes('parts'), qr/parts_killed/, 'and drops');
my $again = $t->run_ok('run', '--until', 'current');
unlike($again->{stderr}, qr/built|dropped the index/, 'then there is nothing to do');

# ---- only what is selected

for my $schema ({ indexes => 'unique' }, { indexes => 'none' }, { indexes => 'all', changes => 'stop' })
{
	$t->configure({ %config, schema => { %{ $config{schema} }, %$schema } });
	$t->source_sql('DROP INDEX IF EXISTS plain_not; CREATE INDEX plain_not ON plain (v, w, id)');
	$t->run_ok('run', '--until', 'current');
	is($t->indexes('plain'), 'of_others plain_until', join ' ', 'nothing follows with', %$schema);
}
$t->all_equal_ok(@tables);

# ---- a state as the version before left it

$t->configure(\%config);
target('DROP TABLE sluice.indexes; ALTER TABLE sluice.unfinished DROP COLUMN index_name, DROP COLUMN index_oid, DROP COLUMN signature; UPDATE sluice.layout SET version = 4');
$t->run_ok($_) for 'status', 'check';
$t->source_sql('DROP INDEX plain_until; CREATE INDEX plain_later ON plain (w, id)');
like($t->run_ok('run', '--until', 'current')->{stderr}, qr/brought from layout 4 to 5/, 'it is upgraded');
is($t->indexes('plain'), 'of_others plain_until', 'nobody knows whose indexes these are, so they stay');
$t->source_sql('CREATE TABLE later (id int PRIMARY KEY, v int); CREATE INDEX later_v ON later (v)');
$t->run_ok('run', '--until', 'current');
$t->source_sql('CREATE INDEX later_w ON later (v, id); DROP INDEX later_v');
$t->run_ok('run', '--until', 'current');
is($t->indexes('later'), 'later_w', 'tables that come later follow');
$t->run_ok('drop');
is(target('SELECT count(*) FROM sluice.indexes'), 0, 'a dropped task leaves nothing behind');

done_testing();
