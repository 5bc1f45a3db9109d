#!/usr/bin/perl
# A column that is added after the catalog was read and before the slot's
# snapshot is part of the copy.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE altered (id int PRIMARY KEY); INSERT INTO altered SELECT generate_series(1, 1000);
	CREATE TABLE other (id int PRIMARY KEY)');
$t->destination_sql('CREATE TABLE altered (id int PRIMARY KEY, extra int)');
$t->configure;

# A slot waits for the transactions that are open when it is made.
my $open = SluiceTest::hold($t->source_conninfo, 'INSERT INTO other VALUES (1)');
$t->start;
$t->poll_ok(sub { $t->log =~ /making slot/ }, 'the slot is being made');
$t->source_sql('ALTER TABLE altered ADD COLUMN extra int DEFAULT 7');
SluiceTest::release($open);
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'all is copied');
$t->source_sql('UPDATE altered SET extra = 8 WHERE id <= 10');
$t->wait_applied_ok;
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->all_equal_ok('public.altered', 'public.other');
like($t->log, qr/public\.altered was altered/, 'it was noticed');

done_testing();
