#!/usr/bin/perl
# What concerns a table voids its copy in the background, and nothing else does.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE others (id int PRIMARY KEY, v text); INSERT INTO others VALUES (1, \'x\')');
# One pipe copies the largest first; a lock on its target holds it there.
$t->configure({ initial_copy => { jobs => 1 }, tables => { include => [ 'public.*', 'moving.*' ] } });
$t->run_ok('run', '--until', 'current');
$t->source_sql("UPDATE others SET v = 'first'");
$t->run_ok('run', '--until', 'current');

my @names = qw(public.granted public.widened public.attached moving.moved);
$t->both_sql(q{
	CREATE SCHEMA moving;
	CREATE TABLE granted (id int PRIMARY KEY, v text);
	CREATE TABLE widened (id int PRIMARY KEY, v text);
	CREATE TABLE moving.moved (id int PRIMARY KEY, v text);
});
$t->destination_sql('CREATE TABLE attached (id int PRIMARY KEY, v text)');
$t->source_sql(q{
	CREATE TABLE attached (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE attached_1 PARTITION OF attached FOR VALUES FROM (0) TO (10000);
});
$t->source_sql("INSERT INTO $_ SELECT i, 'v' || i FROM generate_series(1, 1000) i") for @names;
$t->source_sql("INSERT INTO granted SELECT i, 'v' || i FROM generate_series(10000, 15000) i");

my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE granted IN EXCLUSIVE MODE');
$t->start;
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'granted'::regclass AND NOT granted") > 0 }, 'the copy is under way');

# Each statement is a transaction of a backend of its own.
$t->source_sql($_) for 'GRANT USAGE ON SCHEMA public TO PUBLIC', 'GRANT SELECT ON granted TO PUBLIC', 'CREATE SCHEMA unrelated',
	'GRANT USAGE ON SCHEMA unrelated TO PUBLIC', 'CREATE TEMP TABLE t (a int)', 'COMMENT ON TABLE granted IS \'x\'', 'ANALYZE granted', 'VACUUM granted',
	'CREATE INDEX ON granted (v)', 'ALTER TABLE granted ALTER v SET STATISTICS 10', 'ALTER TABLE others ADD COLUMN w int',
	'INSERT INTO granted VALUES (5000, \'meanwhile\')', 'UPDATE granted SET v = \'meanwhile\' WHERE id = 1';
# What does concern tables.
$t->source_sql(q{ALTER TABLE widened ADD COLUMN w int DEFAULT 3});
$t->source_sql(q{CREATE TABLE filled (id int NOT NULL, v text); INSERT INTO filled VALUES (20000, 'filled'); ALTER TABLE filled ADD PRIMARY KEY (id); ALTER TABLE attached ATTACH PARTITION filled FOR VALUES FROM (10000) TO (30000)});
$t->source_sql('ALTER SCHEMA moving RENAME TO gone; ALTER TABLE gone.moved SET SCHEMA public; DROP SCHEMA gone');
$t->source_sql('INSERT INTO others VALUES (2, \'after\')');
SluiceTest::release($lock);

$t->equal_ok($_, wait => 1) for qw(public.granted public.widened public.attached public.moved public.others);
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM sluice.tables WHERE state <> 'streaming'") eq '0' }, 'all tables stream');
is(scalar(() = $t->log =~ /copied public\.granted: /g), 1, 'what does not concern a table does not void its copy');
unlike($t->log, qr/granted was altered/, 'nor is it said that it was altered');
like($t->log, qr/$_ was altered/, "$_ was altered, and that is said") for qw(public.widened public.attached moving.moved);
is($t->stop, 0, 'SIGTERM ends it with 0');

done_testing();
