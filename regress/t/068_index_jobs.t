#!/usr/bin/perl
# Statements about indexes that take long: one that insists while batches wait, one that ends while the servers are asked about
# it, and the end of the daemon while their session is open.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('on Greenplum nothing is built concurrently');
$ENV{SLUICE_TEST_UPKEEP} = '100000000,100000000,100,600,300';

my $t = SluiceTest->new;
sub target { return $t->destination_sql($_[0]); }
sub indexing { my ($table) = @_; return (grep { $_->{source} eq "public.$table" } @{ $t->status->{tables} })[0]{indexing} // ''; }
# A statement of upkeep's session that has got its locks, or still waits.
sub works_ok
{
	my ($statement, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $t->poll_ok(sub { target(qq{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE '$statement%' AND state = 'active'}) > 0 }, $name);
}
# Its snapshot keeps an index from being completed concurrently.
sub reader { my ($table) = @_; return SluiceTest::hold($t->destination_conninfo, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1; LOCK TABLE $table IN ROW EXCLUSIVE MODE"); }

$t->source_sql(q{
	CREATE TABLE slow (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE slow_1 PARTITION OF slow FOR VALUES FROM (0) TO (1000);
	INSERT INTO slow SELECT i, 'x' FROM generate_series(1, 60) i;
	CREATE TABLE plain (id int PRIMARY KEY, v int); INSERT INTO plain SELECT i, i FROM generate_series(1, 10) i;
	CREATE TABLE other (id int PRIMARY KEY)});
$t->configure({ schema => { indexes => 'all', partitions => 'keep' } });
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

# ---- a build that insists

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE slow IN ROW EXCLUSIVE MODE');
$t->source_sql('CREATE INDEX slow_md5 ON slow (md5(repeat(v, 8000000)))');
$t->poll_ok(sub { $t->log =~ /building the index slow_md5 gave way.*\(3 times in a row\)/ }, 'a build that blocks changes gives way three times');
SluiceTest::release($lock);
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE 'CREATE INDEX%' AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'}) > 0 }, 'then it begins');
$t->source_sql($_) for q{INSERT INTO slow VALUES (101, 'y')}, 'INSERT INTO other VALUES (1)', q{INSERT INTO slow VALUES (102, 'z')};
$t->indexes_ok('slow', 'slow_md5', 'and is completed, although batches wait');
unlike($t->log, qr/gave way.*\(4 times/, 'at once');
$t->equal_ok("public.$_", wait => 1) for qw(slow other);

# ---- a build that ends while the servers are asked whether its index is still wanted

my $reader = reader('plain');
$t->source_sql('CREATE INDEX plain_v ON plain (v)');
works_ok('CREATE INDEX CONCURRENTLY', 'another build waits for a reader');
$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE sluice.indexes IN ACCESS EXCLUSIVE MODE');
$t->source_sql('ALTER TABLE plain SET (fillfactor = 80)');
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sluice.indexes'::regclass}) > 0 }, 'the table has changed: the rows about its indexes are read');
SluiceTest::release($reader);
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sluice upkeep test' AND query LIKE 'CREATE INDEX%' AND state = 'active'}) == 0 }, 'meanwhile the build ends');
SluiceTest::release($lock);
$t->indexes_ok('plain', 'plain_v', 'and the index gets its name');
ok($t->running, 'nothing has ended with it');

# ---- the daemon ends soon after a statement, and what it counted cannot be stored at once

$t->source_sql('UPDATE plain SET v = v + 1');
$t->equal_ok('public.plain', wait => 1);
$reader = reader('plain');
$t->source_sql('CREATE INDEX plain_last ON plain (v, id)');
works_ok('CREATE INDEX CONCURRENTLY', 'one more build');
$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE sluice.tables IN EXCLUSIVE MODE');
SluiceTest::release($reader);
$t->poll_ok(sub { $t->log =~ /built the index plain_last/ }, 'its session is kept for a moment');
is($t->stop, 0, 'a stop within that ends');
SluiceTest::release($lock);

done_testing();
