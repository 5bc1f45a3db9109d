#!/usr/bin/perl
# A table that somebody holds at the source, as VACUUM FULL and ALTER TABLE do for hours: who asks for a table's size
# waits for that, and with it all other tables would.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE held (id int PRIMARY KEY, v text DEFAULT 'd'); INSERT INTO held VALUES (1, 'v');
	CREATE TABLE parted (id int PRIMARY KEY, v text DEFAULT 'd') PARTITION BY RANGE (id);
	CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE TABLE high PARTITION OF parted FOR VALUES FROM (100) TO (200);
	INSERT INTO parted VALUES (1, 'low'), (101, 'high');
	CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other VALUES (1, 'v');
});
$t->configure({ tables => { include => [ 'public.held', 'public.parted', 'public.other', 'public.late*' ] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

for my $table ('held', 'parted', 'high')
{
	my $lock = SluiceTest::hold($t->source_conninfo, "LOCK TABLE $table IN ACCESS EXCLUSIVE MODE");
	$t->source_sql("INSERT INTO other SELECT max(id) + 1, 'while $table is locked' FROM other");
	$t->run_ok(@$_, { timeout => 60 }) for [ 'check' ], [ 'status' ], [ 'run', '--until', 'current' ];
	$t->equal_ok('public.other');
	SluiceTest::release($lock);
}

$t->source_sql(q{UPDATE held SET v = 'free'; UPDATE parted SET v = 'free'});
$t->run_ok('run', '--until', 'current');
$t->equal_ok($_) for 'public.held', 'public.parted';

# ---- tables that are locked before they were ever copied

$t->source_sql(q{
	CREATE TABLE late (id int PRIMARY KEY, v text DEFAULT 'd'); INSERT INTO late VALUES (1, 'v');
	CREATE TABLE late_parted (id int PRIMARY KEY, v text DEFAULT 'd') PARTITION BY RANGE (id);
	CREATE TABLE late_low PARTITION OF late_parted FOR VALUES FROM (0) TO (100);
	INSERT INTO late_parted VALUES (1, 'low');
});
my @locks = map { SluiceTest::hold($t->source_conninfo, "LOCK TABLE $_ IN ACCESS EXCLUSIVE MODE; SELECT txid_current()") } 'late', 'late_low';
$t->source_sql(q{INSERT INTO other SELECT max(id) + 1, 'while new tables are locked' FROM other});
$t->start;
$t->wait_applied_ok;
$t->equal_ok('public.other');
SluiceTest::release($_) for @locks;
$t->poll_ok(sub { $t->log =~ /copied public\.$_:/ }, "$_ is copied once it is free") for 'late', 'late_parted';
$t->wait_applied_ok;
$t->equal_ok($_) for 'public.late', 'public.late_parted';
$t->stop;

done_testing();
