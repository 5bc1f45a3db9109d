#!/usr/bin/perl
# CREATE INDEX and DROP INDEX at the source are followed: an index is built outside of the batches once its position is
# reached, and a unique one dropped ahead of the rows that it would refuse.  What others made at the destination stays.
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
	CREATE TABLE plain (id int PRIMARY KEY, v int, w int, x int);
	INSERT INTO plain SELECT i, i, i, i FROM generate_series(1, 1000) i;
	CREATE INDEX plain_first ON plain (v); COMMENT ON INDEX plain_first IS 'from the beginning';
	CREATE INDEX plain_anew ON plain (x, v);
	CREATE TABLE seats (id int PRIMARY KEY, seat int, note text); INSERT INTO seats SELECT i, i FROM generate_series(1, 10) i;
	CREATE TABLE mapped (id int PRIMARY KEY, v int); INSERT INTO mapped VALUES (1, 1);
	CREATE TABLE parts (id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100); INSERT INTO parts VALUES (1, 1);
	CREATE TABLE existing (id int PRIMARY KEY, v int, w int); CREATE INDEX existing_v ON existing (v); INSERT INTO existing VALUES (1, 1, 1);
	CREATE FUNCTION evil(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
});
target('CREATE TABLE existing (id int PRIMARY KEY, v int, w int)');
# Segments keep a unique index only where it has the distribution key.
my %config = (schema => { indexes => 'all', partitions => 'keep' }, tables => { overrides => [ { source => 'public.mapped', target => 'dw.other' } ] });
$t->configure(\%config);
$t->run_ok('run', '--until', 'current');
my @tables = map { "public.$_" } qw(plain seats parts existing);

# The secondary indexes of a target, without those of its key.
sub indexes
{
	my ($table) = @_;
	return target("SELECT coalesce(string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ' ' ORDER BY c.relname), '')
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '$table'::regclass AND NOT i.indisprimary");
}
sub indexes_ok
{
	my ($table, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { indexes($table) eq $expected }, $name) or diag 'there are: ' . indexes($table);
}
sub indexing { my ($table) = @_; return (grep { $_->{source} eq "public.$table" } @{ $t->status->{tables} })[0]{indexing} // ''; }
sub comment_of { return target("SELECT obj_description('$_[0]'::regclass, 'pg_class')"); }
sub oid_of { return target("SELECT '$_[0]'::regclass::oid"); }

is(comment_of('plain_first'), 'from the beginning', 'comments of indexes are taken over with a created table');
is(indexes('existing'), '', 'a target that was there gets none of those that the source has already');

# ---- while it streams

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
my $anew = oid_of('plain_anew');
target('CREATE INDEX of_others ON plain (w)');
$t->source_sql($_) for 'CREATE INDEX CONCURRENTLY plain_second ON plain (v DESC) WHERE w > 0', 'COMMENT ON INDEX plain_second IS $$it\'s new$$',
	'CREATE INDEX plain_like ON plain (w)', 'CREATE INDEX plain_evil ON plain (evil(v))', 'REINDEX INDEX CONCURRENTLY plain_anew',
	'CREATE INDEX mapped_v ON mapped (v)', 'CREATE INDEX existing_w ON existing (w)';
indexes_ok('plain', 'of_others plain_anew plain_first plain_second', 'a new index is built, unless there is the like of it or it is not known to be harmless');
indexes_ok('existing', 'existing_w', 'a target that was there follows, too');
$t->poll_ok(sub { indexes('dw.other') =~ /^mapped_v_\d+$/ }, 'the target of another name has a name of its own for it');
like($t->log, qr/plain goes without the index plain_evil: /, 'the log says what is left out');
is(oid_of('plain_anew'), $anew, 'one that the source has built anew is not');
$t->poll_ok(sub { indexing('plain') eq '' }, 'nothing is left to be built');

$t->source_sql('DROP INDEX plain_first; DROP INDEX plain_like');
indexes_ok('plain', 'of_others plain_anew plain_second', 'a dropped index is dropped, and none of others');

# ---- unique ones

my $unique = $greenplum ? 'seat, id' : 'seat';
$t->source_sql("CREATE UNIQUE INDEX seats_once ON seats ($unique)");
indexes_ok('seats', 'seats_once', 'a unique index is built');
$t->source_sql('BEGIN; UPDATE seats SET seat = -1 WHERE id = 1; UPDATE seats SET seat = 1 WHERE id = 2; UPDATE seats SET seat = 2 WHERE id = 1; COMMIT');
$t->equal_ok('public.seats', wait => 1);
ok($t->running, 'rows may swap their values in it');
$t->source_sql('BEGIN; DROP INDEX seats_once; INSERT INTO seats SELECT id + 100, seat FROM seats; COMMIT');
$t->equal_ok('public.seats', wait => 1);
is(indexes('seats'), '', 'rows that it would refuse come behind the drop');

# Away: rows that are not unique came and went before the index.
is($t->stop, 0, 'it stops');
$t->source_sql($_) for 'INSERT INTO seats VALUES (300, 7)', 'UPDATE plain SET v = v + 1', 'DELETE FROM seats WHERE id > 100', "CREATE UNIQUE INDEX seats_again ON seats ($unique)", 'INSERT INTO seats VALUES (301, 301)';
$t->start;
indexes_ok('seats', 'seats_again', 'a unique index is built once rows are unique');
ok($t->running, 'no batch has met it before');

# ---- what goes wrong

target('CREATE TABLE taken (a int)');
$t->source_sql('CREATE INDEX taken ON seats (note)');
$t->poll_ok(sub { indexing('seats') =~ /^the index taken could not be built, which is tried again: .*taken/ }, 'status says why an index could not be built');
$t->source_sql('INSERT INTO seats VALUES (302, 302)');
$t->wait_applied_ok('the stream goes on');
target('DROP TABLE taken');
indexes_ok('seats', 'seats_again taken', 'later it is');
$t->poll_ok(sub { indexing('seats') eq '' }, 'and status forgets it');

# ---- a destination that blocks writers: a partitioned target, and any on segments

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE parts IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX parts_v ON parts (v)');
$t->poll_ok(sub { $t->log =~ /parts: the index parts_v is to be built, and gave way to batches, or found the table locked, 3 times in a row/ }, 'it gives way');
$t->poll_ok(sub { indexing('parts') eq 'the index parts_v is being built; meanwhile the destination blocks changes of this table' }, 'and insists in the end');
SluiceTest::release($lock);
$t->poll_ok(sub { indexes('parts') =~ /^parts_v/ }, 'then it is built');

# ---- killed while it builds

$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE plain IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX plain_killed ON plain (x)');
my $building = q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE 'CREATE INDEX%' AND state = 'active'};
$t->poll_ok(sub { target($building) == 1 }, 'an index is being built');
$t->poll_ok(sub { indexing('plain') =~ /^the index plain_killed is being built/ }, 'which status says');
$t->poll_ok(sub { target($building) == 1 }, 'it still is');
$t->kill9;
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'after a kill');
SluiceTest::release($lock);
indexes_ok('plain', 'of_others plain_anew plain_killed plain_second', 'the next daemon completes it, once');

# ---- without a daemon in between

target('DROP INDEX plain_second');
is($t->stop, 0, 'it stops');
$t->source_sql('CREATE INDEX plain_until ON plain (id, x); DROP INDEX taken; DROP INDEX plain_anew');
$t->run_ok('run', '--until', 'current') for 1, 2;
is(indexes('plain'), 'of_others plain_killed plain_until', 'runs that end by themselves build and drop, too; what was dropped at the destination stays so');
is(indexes('seats'), 'seats_again', 'of each table');
my $stored = target('SELECT string_agg(indexes, source_name ORDER BY source_name) FROM sluice.tables');
my $again = $t->run_ok('run', '--until', 'current');
unlike($again->{stderr}, qr/goes without|follow those|the index \S+ (?:is|could)/, 'then there is nothing to do');
is(target('SELECT string_agg(indexes, source_name ORDER BY source_name) FROM sluice.tables'), $stored, 'nor to be written down');

# A state of an earlier version says nothing about indexes: what there is stays.
target('UPDATE sluice.tables SET indexes = NULL');
target('DROP INDEX plain_until');
$t->source_sql('CREATE INDEX plain_later ON plain (w, x); DROP INDEX plain_killed');
$t->run_ok('run', '--until', 'current');
is(indexes('plain'), 'of_others plain_killed', 'what is not known to be ours stays');
$t->source_sql('CREATE INDEX plain_new ON plain (x, w)');
$t->run_ok('run', '--until', 'current') for 1, 2;
is(indexes('plain'), 'of_others plain_killed plain_new', 'what is new is followed');

# ---- only what is selected

for my $schema ({ indexes => 'unique' }, { indexes => 'none' }, { indexes => 'all', changes => 'stop' })
{
	$t->configure({ %config, schema => { %{ $config{schema} }, %$schema } });
	$t->source_sql('DROP INDEX IF EXISTS plain_not; CREATE INDEX plain_not ON plain (v, w, x)');
	$t->run_ok('run', '--until', 'current') for 1, 2;
	is(indexes('plain'), 'of_others plain_killed plain_new', join ' ', 'nothing follows with', %$schema);
}
$t->all_equal_ok(@tables);

done_testing();
