#!/usr/bin/perl
# A table that waits for its copy in the background while the stream comes to transactions in which another table had its name:
# the target gives way, and has its name again afterwards.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql("CREATE TABLE $_ (id int PRIMARY KEY); INSERT INTO $_ VALUES (1)") for qw(copied other);
$t->configure;
$t->run_ok('run', '--until', 'current');
$t->source_sql('INSERT INTO other VALUES (2)');
$t->run_ok('run', '--until', 'current');

# The snapshot waits for an open transaction.
my $open = SluiceTest::hold($t->source_conninfo, 'SELECT pg_current_xact_id()');
$t->run_ok('table', 'resync', 'public.copied');
$t->start;
$t->poll_ok(sub { $t->log =~ /1 table to be copied while the others stream/ }, 'it is to be copied in the background');
$t->source_sql(q{BEGIN; ALTER TABLE copied RENAME TO aside; ALTER TABLE other RENAME TO copied; INSERT INTO copied VALUES (3);
	ALTER TABLE copied RENAME TO other; ALTER TABLE aside RENAME TO copied; INSERT INTO copied VALUES (4); COMMIT});
$t->poll_ok(sub { $t->destination_sql(q{SELECT to_regclass('copied') IS NULL}) eq 't' }, 'its target has given way');
SluiceTest::release($open);

$t->equal_ok($_, wait => 1) for qw(public.copied public.other);
$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM sluice.tables WHERE state <> 'streaming'}) eq '0' }, 'all tables stream');
$t->source_sql("INSERT INTO $_ VALUES (5)") for qw(copied other);
$t->wait_applied_ok('later changes');
$t->all_equal_ok(qw(public.copied public.other));
is($t->stop, 0, 'it stops');
$t->run_ok('run', '--until', 'current');
is($t->destination_sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'sluice_renamed%'"), 0, 'nothing is left of the other name');

done_testing();
