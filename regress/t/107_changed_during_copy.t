#!/usr/bin/perl
# What happens to tables between the snapshot of the initial copy and their own
# turn: a table that was rewritten, truncated or recreated looks empty to an
# older snapshot, one that was dropped is missing.  Such tables wait for another
# snapshot, and those that are copied already are not copied again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE big (id int PRIMARY KEY, v text);
	INSERT INTO big SELECT i, repeat('x', 100) FROM generate_series(1, 5000) i;
	CREATE TABLE kept (id int PRIMARY KEY, v text);
	CREATE TABLE rewritten (id int PRIMARY KEY, v text);
	CREATE TABLE moved (id int PRIMARY KEY, v text);
	CREATE TABLE emptied (id int PRIMARY KEY, v text);
	CREATE TABLE dropped (id int PRIMARY KEY, v text);
	CREATE TABLE recreated (id int PRIMARY KEY, v text);
	CREATE TABLE renamed (id int PRIMARY KEY, w int, x int);
	INSERT INTO renamed VALUES (1, 1, 1);
	CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
});
my @small = qw(kept rewritten moved emptied dropped recreated parts);
$t->source_sql("INSERT INTO $_ SELECT i, 'v' || i FROM generate_series(1, 150) i") for @small;

# One pipe copies the largest first; a lock on its target holds it there.
$t->destination_sql('CREATE TABLE big (id int PRIMARY KEY, v text)');
$t->configure({ initial_copy => { jobs => 1 } });
my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE big IN EXCLUSIVE MODE');
$t->start;
$t->poll_ok(sub {
	$t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'big'::regclass AND NOT granted") > 0;
}, 'the copy is under way');

$t->source_sql(q{
	ALTER TABLE rewritten ALTER v TYPE varchar(50) USING upper(v);
	VACUUM FULL moved;
	TRUNCATE emptied;
	INSERT INTO emptied VALUES (1, 'after');
	DROP TABLE dropped;
	DROP TABLE recreated;
	CREATE TABLE recreated (id int PRIMARY KEY, v text);
	INSERT INTO recreated SELECT i, 'recreated ' || i FROM generate_series(1, 30) i;
	ALTER TABLE parts_2 ALTER v SET STORAGE EXTERNAL;
	CLUSTER parts_2 USING parts_2_pkey;
	UPDATE kept SET v = 'changed' WHERE id < 20;
	ALTER TABLE renamed RENAME w TO v;
	ALTER TABLE renamed DROP x;
	INSERT INTO renamed VALUES (2, 2);
});
SluiceTest::release($lock);
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'all are copied');
$t->source_sql("INSERT INTO $_ VALUES (199, 'live')") for grep { $_ ne 'dropped' } @small;
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it with 0');
my @tables = map { "public.$_" } 'big', 'renamed', grep { $_ ne 'dropped' } @small;
$t->all_equal_ok(@tables);
my $begun = () = $t->log =~ /copied public\.big/g;
is($begun, 1, 'what was copied is not copied again');
like($t->log, qr/public\.$_ was altered, rewritten, recreated or dropped/, "$_ was left for the next snapshot")
  for qw(rewritten recreated dropped);
is($t->destination_sql("SELECT string_agg(source_name, ' ' ORDER BY source_name) FROM sluice.tables"),
	join(' ', sort('big', 'renamed', grep { $_ ne 'dropped' } @small)), 'and the one that is gone is forgotten');
$t->run_ok('run', '--until', 'current');

# A transaction that drops a table which is to be copied, and one that was: no circle of locks comes of it.
$t->both_sql(join '', map { "CREATE TABLE circle_$_ (id int PRIMARY KEY, v text);" } 1 .. 3);
$t->source_sql("INSERT INTO circle_$_ SELECT i, repeat('x', 1000) FROM generate_series(1, 100 / $_) i") for 1 .. 3;
$t->source_sql('ANALYZE');
$t->configure({ initial_copy => { jobs => 1 }, tables => { include => ['public.circle_*'] }, task => 'circle' });
$t->{task} = 'circle';
my $target = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE circle_1 IN SHARE MODE');
$t->start;
$t->poll_ok(sub {
	$t->destination_sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'circle_1'::regclass")
}, 'the copy waits at the first target');
my $drops = SluiceTest::hold($t->source_conninfo, 'DROP TABLE circle_3');
SluiceTest::release($target);
$t->poll_ok(sub {
	$t->source_sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'circle_3'::regclass")
}, 'and then for the transaction that drops the last table');
${ $drops->{in} } .= "DROP TABLE circle_1;\nCOMMIT;\n\\q\n";
ok($drops->{run}->finish, 'which also drops the one that is copied');
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the rest goes on');
unlike($t->log, qr/deadlock/, 'without a deadlock');
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->all_equal_ok('public.circle_2');

done_testing();
