#!/usr/bin/perl
# A check that fails for one table that is followed: with apply.refused: stop the run ends and keeps everything, with hold
# that table alone is held.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes a role');

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE good (id int PRIMARY KEY, v text);
	CREATE TABLE forbidden (id int PRIMARY KEY, v text);
	CREATE TABLE typed (id int PRIMARY KEY, v text, at date);
	INSERT INTO good VALUES (1, 'a'); INSERT INTO forbidden VALUES (1, 'a'); INSERT INTO typed VALUES (1, '1', '2026-01-01');
});
my $database = $t->destination_sql('SELECT current_database()');
$t->destination_sql(qq{
	CREATE ROLE loader LOGIN; GRANT CREATE, TEMPORARY ON DATABASE "$database" TO loader; GRANT CREATE, USAGE ON SCHEMA public TO loader;
	CREATE TABLE forbidden (id int PRIMARY KEY, v text); GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON forbidden TO loader;
});
my $loader = $t->destination_conninfo =~ s/user=\S+/user=loader/r;

sub configure
{
	my ($refused) = @_;
	$t->configure({ destination => { conninfo => $loader }, apply => { refused => $refused } });
}

sub state_of
{
	my ($name) = @_;
	my ($table) = grep { $_->{source} eq "public.$name" } @{ $t->status->{tables} };
	return $table;
}

sub change
{
	my ($value) = @_;
	$t->source_sql("UPDATE $_ SET v = '$value'") for qw(good forbidden typed);
}

configure('stop');
$t->run_ok('run', '--until', 'current');
change(2);
$t->run_ok('run', '--until', 'current');

# ---- stop

$t->destination_sql('REVOKE UPDATE ON forbidden FROM loader');
change(3);
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.forbidden: UPDATE is not allowed at the destination/, 'the run ends');
is(state_of('forbidden')->{state}, 'streaming', 'nothing is held');
$t->destination_sql('GRANT UPDATE ON forbidden TO loader');
unlike($t->run_ok('run', '--until', 'current')->{stderr}, qr/copied public/, 'the next run goes on without a new copy');
$t->all_equal_ok(qw(public.good public.forbidden public.typed));

# ---- hold, at a start

configure('hold');
$t->destination_sql('REVOKE UPDATE ON forbidden FROM loader; ALTER TABLE typed ALTER at TYPE bool USING true');
change(4);
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.(?:forbidden|typed)/, 'a run that ends names what is held');
$t->equal_ok('public.good');
like(state_of('forbidden')->{error}, qr/rights: UPDATE is not allowed.*GRANT UPDATE ON public\.forbidden TO loader; then "sluice table resync"/, 'why');
like(state_of('typed')->{error}, qr/types: the column "at" is boolean, at the source date/, 'likewise');
is(state_of($_)->{state}, 'held', "$_ is held") for qw(forbidden typed);

$t->destination_sql('GRANT UPDATE ON forbidden TO loader; ALTER TABLE typed ALTER at TYPE date USING NULL');
$t->run_ok('table', 'resync', 'public.forbidden', 'public.typed');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(qw(public.good public.forbidden public.typed));

# ---- hold, in the stream

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'streaming');
$t->destination_sql('REVOKE UPDATE ON forbidden FROM loader');
change(5);
$t->poll_ok(sub { state_of('forbidden')->{state} eq 'held' }, 'held by the checks that a missing right leads to');
$t->wait_applied_ok('the others go on');
$t->equal_ok($_) for qw(public.good public.typed);
is($t->stop, 0, 'in the same process');

done_testing();
