#!/usr/bin/perl
# Two tasks that feed one target: neither clears or truncates the rows of the other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(task => 'one');
$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text);
	CREATE TABLE b (id int PRIMARY KEY, v text);
	CREATE TABLE c (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'a' FROM generate_series(1, 10) i;
	INSERT INTO b SELECT i, 'b' FROM generate_series(101, 120) i;
});

sub one { $t->configure({ tables => { include => [ 'public.a', 'public.c' ] } }, 'one.yaml'); }

sub two
{
	my ($existing, $operations) = @_;
	$t->configure({
		task => 'two',
		tables => { include => ['public.b'],
			overrides => [ { source => 'public.b', target => 'public.a', operations => $operations } ] },
		initial_copy => { existing => $existing } }, 'two.yaml');
}

sub rows { return $t->destination_sql(q{SELECT v || ' ' || count(*) FROM a GROUP BY v ORDER BY v}); }

one();
$t->run_ok('run', '--until', 'current');

my $all = [qw(insert update delete truncate)];
for my $existing (qw(clear error))
{
	two($existing, $all);
	$t->fails_like([ $_ ], 3, qr/target: public\.a: the task "one" feeds it, too/, "existing: $existing: $_") for qw(check run);
}
two('append', $all);
$t->fails_like([ 'run' ], 3, qr/target: public\.a: the task "one" feeds it, too, and a TRUNCATE would take its rows/, 'with truncate among the operations');
is(rows(), 'a 10', 'nothing was cleared');

two('append', [qw(insert update delete)]);
$t->run_ok('run', '--until', 'current');
is(rows(), "a 10\nb 20", 'both feed it');

one();
like($t->run_ok('check')->{stdout}, qr/^warning +target +public\.a: the task "two" feeds it, too, and a TRUNCATE/m, 'the first is warned');
$t->fails_like([ 'table', 'resync', 'public.a' ], 1, qr/fed by the task "two", too: it cannot be cleared/, 'resync of the first');
$t->source_sql(q{UPDATE a SET v = 'A'; TRUNCATE a; INSERT INTO a VALUES (1, 'after'); INSERT INTO c VALUES (1, 'c')});
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a .*"two" feeds/, 'a TRUNCATE of the first');
is(rows(), "A 10\nb 20", 'no row is gone');
$t->equal_ok('public.c');
$t->source_sql(q{INSERT INTO c VALUES (2, 'c')});
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a .*"two" feeds/, 'again');
is(rows(), "A 10\nb 20", 'no row is gone');
$t->equal_ok('public.c');

# Without the other one it is as any.
two('append', [qw(insert update delete)]);
$t->run_ok('drop');
one();
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(qw(public.a public.c));

done_testing();
