#!/usr/bin/perl
# Targets that lack columns, or have more than a table without a key can keep: what check says to do, done to the letter.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE lacking (id int PRIMARY KEY, "Value" varchar(10) NOT NULL DEFAULT 'd', at timestamptz);
	INSERT INTO lacking SELECT i, 'v', now() FROM generate_series(1, 20) i;
});

# ---- a statement that check gives, with changes: stop

$t->destination_sql('CREATE TABLE lacking (id int PRIMARY KEY)');
$t->configure({ schema => { changes => 'stop' } });

sub do_what_it_needs
{
	my ($said) = @_;
	my ($statement) = $said =~ /it lacks columns of public\.lacking: (.*?); / or die "no statement: $said";
	$t->destination_sql($statement);
}
my $check = $t->sluice('check');
is($check->{status}, 3, 'columns are lacking');
do_what_it_needs($check->{stdout});
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.lacking');

# ---- a target that loses a column later

$t->source_sql(q{INSERT INTO lacking VALUES (21, 'w')});
$t->run_ok('run', '--until', 'current');
$t->destination_sql('ALTER TABLE lacking DROP COLUMN "Value"');
my $run = $t->fails_like([ 'run', '--until', 'current' ], 1, qr/it lacks columns.*then "sluice table resync public\.lacking"/, 'says that a new copy is needed');
do_what_it_needs($run->{stderr});
$t->run_ok('table', 'resync', 'public.lacking');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.lacking');

# ---- with follow, the copy that is asked for adds them

$t->configure;
$t->destination_sql('ALTER TABLE lacking DROP COLUMN "Value", DROP COLUMN at');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/"sluice table resync public\.lacking"/, 'refused');
$t->run_ok('table', 'resync', 'public.lacking');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.lacking');

# ---- a new table without a key, whose target has a column of its own

$t->destination_sql('CREATE TABLE keyless (a int, b text, extra int)');
$t->source_sql(q{CREATE TABLE keyless (a int, b text); ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, 'y')});
$t->start;
$t->poll_ok(sub { $t->log =~ /new table public\.keyless waits: .* extra, .*or drop the columns there/ }, 'waits, with the ways out');
$t->destination_sql('ALTER TABLE keyless DROP COLUMN extra');
$t->poll_ok(sub { $t->log =~ /copied public\.keyless:/ }, 'without the column it is taken in');
$t->wait_applied_ok;
$t->equal_ok('public.keyless');
$t->stop;

done_testing();
