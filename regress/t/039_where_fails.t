#!/usr/bin/perl
# A condition on rows that the source's table or a row of it does not fit any more.  A changed definition holds that table alone; so
# does a row with apply.refused: hold, where with stop the run ends and says so.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my @filtered = qw(renamed divided large at_start replaced made_again);
my %where = (renamed => 'w > 2', divided => '100 / w > 2', large => "big <> 'x'", at_start => 'w > 2', replaced => 'w > 2', made_again => 'w > 2');

$t->source_sql(join ' ', 'CREATE TABLE good (id int PRIMARY KEY);',
	map { "CREATE TABLE $_ (id int PRIMARY KEY, w int, big text); ALTER TABLE $_ ALTER big SET STORAGE EXTERNAL; INSERT INTO $_ VALUES (1, 5, repeat('y', 5000)), (2, 100, 'x');" } @filtered);

sub configure
{
	my ($refused) = @_;
	$t->configure({ apply => { refused => $refused }, tables => { include => ['public.*'],
		overrides => [ map { { source => "public.$_", where => $where{$_} } } @filtered ] } });
}

sub table_of
{
	my ($name) = @_;
	my ($table) = grep { $_->{source} eq "public.$name" } @{ $t->status->{tables} };
	return $table;
}

# Whatever happens to the others, this table has every row.
my $rows = 0;
sub good_is_level
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($t->destination_sql('SELECT count(*) FROM good'), $rows, $what);
}
sub good_row { $rows++; return "INSERT INTO good VALUES ($rows);"; }

sub matching_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($t->destination_sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM $name"), $t->source_sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM $name WHERE $where{$name}"), "$name has the rows that match");
}

configure('stop');
$t->run_ok('run', '--until', 'current');
matching_ok($_) for @filtered;

# ---- the source drops what a condition names

$t->source_sql(good_row() . 'ALTER TABLE replaced DROP w, ADD w int DEFAULT 6; INSERT INTO replaced VALUES (3, NULL, 1);
	DROP TABLE made_again; CREATE TABLE made_again (id int PRIMARY KEY, other int); INSERT INTO made_again VALUES (1, 7);' . good_row());
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.made_again is held/, 'a new table without the column is held');
good_is_level('the others continue, also with apply.refused: stop');
$t->source_sql('ALTER TABLE made_again RENAME other TO w');
$t->run_ok('run', '--until', 'current');
matching_ok($_) for qw(replaced made_again);

# ---- stop: a changed definition holds the table, also where the correction came too late; a row stops the run

$t->source_sql(good_row() . 'BEGIN; ALTER TABLE renamed RENAME w TO ww; INSERT INTO renamed VALUES (3, 7); COMMIT; ALTER TABLE renamed RENAME ww TO w;' . good_row());
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.renamed is held/, 'a column that the condition names was renamed for a while');
good_is_level('the others continue');
like(table_of('renamed')->{error}, qr/column "w" does not exist.*; correct that, then "sluice table resync"/s, 'the cause and the remedy');
$t->source_sql(good_row() . 'ALTER TABLE at_start RENAME w TO ww; INSERT INTO at_start VALUES (3, 7);' . good_row());
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.\w+ is held/, 'a condition that a start finds useless');
good_is_level('the others continue');
like(table_of('at_start')->{error}, qr/^where: its condition cannot be used/, 'that table is held');
# The remedy, to the letter.
$where{at_start} = 'ww > 2';
configure('stop');
$t->run_ok('table', 'resync', 'public.at_start');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.renamed is held/, 'the other one is still held');
matching_ok('at_start');
$t->source_sql(good_row() . 'INSERT INTO divided VALUES (3, 0), (4, 1);' . good_row());
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/division by zero.*with apply\.refused: hold only this table stops/s, 'a row by which the condition divides');
is(table_of('divided')->{state}, 'streaming', 'holds nothing');

# ---- hold

configure('hold');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.\w+ is held/, 'that row again');
good_is_level('the others continue');
like(table_of('divided')->{error}, qr/public\.divided.*division by zero; correct that, then "sluice table resync"/s, 'the cause and the remedy');
$t->source_sql(good_row() . 'UPDATE large SET w = 6;' . good_row());
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.\w+ is held/, 'a large value that is not in the log');
good_is_level('the others continue');
is(table_of('large')->{state}, 'held', 'that table is held');
is(table_of('at_start')->{state}, 'streaming', 'one without such a row is not');

# ---- the remedies

$t->source_sql('DELETE FROM divided WHERE w = 0; ALTER TABLE large REPLICA IDENTITY FULL;' . good_row());
$t->run_ok('table', 'resync', map { "public.$_" } qw(renamed divided large));
$t->run_ok('run', '--until', 'current');
$t->source_sql(good_row() . join ' ', map { my $w = $_ eq 'at_start' ? 'ww' : 'w'; "UPDATE $_ SET $w = 3 WHERE id = 2; INSERT INTO $_ (id, $w) VALUES (10, 1), (11, 20);" } @filtered);
$t->run_ok('run', '--until', 'current');
good_is_level('at the end');
matching_ok($_) for @filtered;

# ---- a condition that is new in the configuration is refused, and holds nothing

$where{renamed} = 'nothing > 2';
configure('hold');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.renamed/, 'another condition');
is(table_of('renamed')->{state}, 'streaming', 'its table is not held');

# ---- a row of the first copy

$t->run_ok('drop');
$t->destination_sql('DROP TABLE divided');
$t->source_sql('INSERT INTO divided VALUES (3, 0)');
$t->configure({ task => 'copied', tables => { include => ['public.divided'], overrides => [ { source => 'public.divided', where => $where{divided} } ] } });
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying public\.divided: source: division by zero; correct the rows at the source, or tables\.overrides\[\]\.where/, 'names the remedy');
$t->source_sql('DELETE FROM divided WHERE w = 0');
$t->run_ok('run', '--until', 'current');
matching_ok('divided');

done_testing();
