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
	CREATE TABLE held (id int PRIMARY KEY, v text); INSERT INTO held VALUES (1, 'v');
	CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other VALUES (1, 'v');
});
$t->configure;
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

my $lock = SluiceTest::hold($t->source_conninfo, 'LOCK TABLE held IN ACCESS EXCLUSIVE MODE');
$t->source_sql(q{INSERT INTO other VALUES (2, 'while it is locked')});
$t->run_ok(@$_, { timeout => 60 }) for [ 'check' ], [ 'status' ], [ 'run', '--until', 'current' ];
$t->equal_ok('public.other');
SluiceTest::release($lock);

$t->source_sql(q{UPDATE held SET v = 'free'});
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.held');

done_testing();
