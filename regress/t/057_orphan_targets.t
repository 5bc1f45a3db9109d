#!/usr/bin/perl
# New tables that are renamed, altered, or dropped and created again before their first copy: the empty targets that were
# made for them are not in the way of other tables of their names, and not of their own new definitions.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE good (id int PRIMARY KEY, v text); INSERT INTO good VALUES (1, \'a\')');
$t->configure;
$t->run_ok('run', '--until', 'current');

# A snapshot waits for the transactions that are open: the targets are made, and nothing is copied.
my $open = SluiceTest::hold($t->source_conninfo, 'SELECT txid_current()');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'streaming');
$t->source_sql(join '; ', map { "CREATE TABLE $_ (a int PRIMARY KEY, b int NOT NULL); INSERT INTO $_ VALUES (1, 1)" } qw(renamed recreated filled altered kept));
sub has_target { return $t->destination_sql("SELECT to_regclass('public.$_[0]') IS NOT NULL") eq 't'; }
$t->poll_ok(sub { !grep { !has_target($_) } qw(renamed recreated filled altered kept) }, 'the targets are there');
$t->kill9;

$t->source_sql(q{
	ALTER TABLE renamed RENAME TO renamed_2;
	CREATE TABLE renamed (id int PRIMARY KEY, c text); INSERT INTO renamed VALUES (1, 'another');
	DROP TABLE recreated; CREATE TABLE recreated (id int PRIMARY KEY, c text); INSERT INTO recreated VALUES (1, 'another');
	ALTER TABLE altered ALTER b TYPE text USING 'text', ALTER b DROP NOT NULL; INSERT INTO altered VALUES (2, NULL);
	DROP TABLE filled; CREATE TABLE filled (id int PRIMARY KEY, c text); INSERT INTO filled VALUES (1, 'another');
});
# What others have put into such a target is not removed.
$t->destination_sql('INSERT INTO filled VALUES (7, 7)');
# Nor is what they have altered in a target whose table is as it was.
$t->destination_sql('ALTER TABLE kept ADD COLUMN theirs int');
# The rows are written after the targets are made: the daemon may have been killed in between.
$t->destination_sql(q{DELETE FROM sluice.tables WHERE source_name = 'kept'});
SluiceTest::release($open);
$t->start;
$t->poll_ok(sub { my $log = $t->log; !grep { $log !~ /copied public\.$_:/ } qw(renamed renamed_2 recreated altered kept) }, 'all are copied');
$t->wait_applied_ok;
$t->equal_ok("public.$_") for qw(good renamed renamed_2 recreated altered);
$t->equal_ok('public.kept', columns => [qw(a b)]);
is($t->destination_sql('SELECT count(*) FROM kept WHERE theirs IS NULL'), 1, 'a target that others have altered stays');
is($t->destination_sql('SELECT a, b FROM filled'), '7|7', 'rows of others stay');
$t->poll_ok(sub { my ($table) = grep { $_->{source} eq 'public.filled' } @{ $t->status->{tables} }; $table && $table->{error} }, 'and the table waits');
is($t->destination_sql('SELECT count(*) FROM sluice.unfinished u JOIN sluice.tables t ON t.target_oid = u.target WHERE t.state = \'streaming\''), 0, 'of copied tables nothing is left to do');

# The same while the daemon runs: the copy finds the table altered, and begins again.
$open = SluiceTest::hold($t->source_conninfo, 'SELECT txid_current()');
$t->source_sql('CREATE TABLE live (a int PRIMARY KEY, b int NOT NULL, c int); INSERT INTO live VALUES (1, 1, 1)');
$t->poll_ok(sub { has_target('live') }, 'the target of another one is there');
$t->source_sql(q{ALTER TABLE live ALTER b TYPE text USING 'text', DROP c; INSERT INTO live VALUES (2, 'more')});
SluiceTest::release($open);
$t->poll_ok(sub { $t->log =~ /copied public\.live:/ }, 'it is copied');
$t->wait_applied_ok;
$t->equal_ok('public.live');
$t->stop;

done_testing();
