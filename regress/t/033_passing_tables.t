#!/usr/bin/perl
# Tables that the stream mentions and the source has no more, or has under
# another name: none of them stops the others.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE keyed (id int PRIMARY KEY); CREATE SCHEMA elsewhere');
$t->configure;
$t->run_ok('run', '--until', 'current');

# Made, filled and dropped while nobody followed.
$t->source_sql('CREATE TABLE passing (id int PRIMARY KEY); INSERT INTO passing VALUES (1); DROP TABLE passing;
	INSERT INTO keyed VALUES (1)');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.keyed');

# The same, and made once more.
$t->source_sql('CREATE TABLE passing (id int PRIMARY KEY); INSERT INTO passing VALUES (1); DROP TABLE passing;
	CREATE TABLE passing (id int PRIMARY KEY); INSERT INTO passing VALUES (7); INSERT INTO keyed VALUES (2)');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('public.keyed', 'public.passing');

# Renamed before it was copied: followed under its new name.
$t->source_sql('CREATE TABLE early (id int PRIMARY KEY); INSERT INTO early VALUES (1); ALTER TABLE early RENAME TO late;
	INSERT INTO late VALUES (2)');
$t->run_ok('run', '--until', 'current');
$t->source_sql('INSERT INTO late VALUES (3)');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.late');

# Moved out of the selection.
$t->source_sql('CREATE TABLE moving (id int PRIMARY KEY); INSERT INTO moving VALUES (1);
	ALTER TABLE moving SET SCHEMA elsewhere; INSERT INTO keyed VALUES (3)');
$t->configure({ tables => { include => ['public.*'] } });
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.keyed');

# The same while the program runs.
$t->start;
$t->source_sql('BEGIN; CREATE TABLE p2 (id int PRIMARY KEY); INSERT INTO p2 VALUES (1); COMMIT; DROP TABLE p2;
	INSERT INTO keyed VALUES (4); TRUNCATE late');
$t->wait_applied_ok;
$t->source_sql('CREATE TABLE p3 (id int PRIMARY KEY); INSERT INTO p3 VALUES (1); INSERT INTO keyed VALUES (5)');
$t->wait_applied_ok;
$t->poll_ok(sub { my ($failed, $count) = SluiceTest::psql_try($t->destination_conninfo, 'SELECT count(*) FROM public.p3'); !$failed && $count == 1 },
	'a new table is copied beside the stream');
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->all_equal_ok('public.keyed', 'public.p3', 'public.late');

# A replicated table that is renamed is followed by its new name, at every start.
$t->source_sql('ALTER TABLE keyed RENAME TO renamed; INSERT INTO renamed VALUES (6)');
$t->run_ok('run', '--until', 'current') for 1 .. 2;
$t->equal_ok('public.renamed');

done_testing();
