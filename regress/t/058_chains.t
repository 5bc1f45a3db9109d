#!/usr/bin/perl
# Tasks behind each other, all databases on one server: what the first applies is what the second replicates, copies
# included, and two tasks of one source do not wait for each other.
use strict;
use warnings;

use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('its destination is a source, too');

my $t = SluiceTest->new(destination => 0, source => { conf => "max_prepared_transactions = 5\nlogical_decoding_work_mem = 64kB" });
my @tables = map { "public.$_" } qw(keyed bag large);
$t->source_sql("CREATE DATABASE $_") for qw(dw mart twin);

sub conninfo_of { my ($database) = @_; return $t->source_conninfo =~ s/'?\bshop\b'?/$database/r; }

# A task between two databases; without a name, just the two, for comparisons.
sub between
{
	my ($from, $to, $name) = @_;
	my $task = bless { %$t, task => $name, directory => "$t->{directory}/" . ($name // "$from-$to"),
		source => { %{ $t->{source} }, conninfo => conninfo_of($from) }, destination => { conninfo => conninfo_of($to) } }, 'SluiceTest';
	make_path($task->{directory});
	$task->configure({ task => $name }, "$name.yaml") if $name;
	return $task;
}
my @tasks = (between('shop', 'dw', 'first'), between('dw', 'mart', 'second'), between('shop', 'twin', 'other'));
my ($first, $second, $other) = @tasks;

sub same_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$_->wait_applied_ok("$name: task $_->{task}") for @tasks;
	$_->all_equal_ok(@tables) for between('shop', 'mart'), $other;
}

$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;
	CREATE TABLE large (id int PRIMARY KEY, v text); ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
	INSERT INTO keyed SELECT i, 'v' FROM generate_series(1, 500) i;
	INSERT INTO bag SELECT i % 7, 'b' FROM generate_series(1, 300) i;
	INSERT INTO large SELECT i, repeat('l', 5000) FROM generate_series(1, 50) i;
});

# The second follows an empty database before the first makes anything in it.
$second->start;
$second->poll_ok(sub { $second->log =~ /streaming from/ }, 'the second task streams');
$_->start for $first, $other;
for my $task ($first, $other) { $task->poll_ok(sub { $task->log =~ /streaming from/ }, 'a task has copied'); }
# A table that the first made has no identity at first sight of the second: bag gets its own at the destination.
SluiceTest::psql(conninfo_of('dw'), 'ALTER TABLE bag REPLICA IDENTITY FULL');
for my $table (qw(keyed bag large))
{
	$second->poll_ok(sub { $second->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_name = '$table' AND state = 'streaming'") },
		"the second task has taken in $table");
}
same_ok('the copy');

$t->source_sql(q{
	UPDATE keyed SET v = 'w' WHERE id % 2 = 0; UPDATE keyed SET id = -id WHERE id < 20; DELETE FROM keyed WHERE id BETWEEN 30 AND 40;
	UPDATE bag SET b = 'c' WHERE a = 1; DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 5);
	UPDATE large SET id = id + 100; UPDATE large SET v = 'short' WHERE id % 5 = 0;
	BEGIN; SAVEPOINT s; INSERT INTO keyed SELECT i, repeat('x', 100) FROM generate_series(1000, 6000) i; ROLLBACK TO s;
	INSERT INTO keyed SELECT i, repeat('y', 100) FROM generate_series(6001, 12000) i; UPDATE bag SET b = 'd'; COMMIT;
});
same_ok('changes, and a transaction that is sent while it is open');

$t->source_sql(q{BEGIN; INSERT INTO keyed VALUES (-1000, 'prepared'); DELETE FROM bag WHERE a = 3; PREPARE TRANSACTION 'kept'});
$t->source_sql(q{BEGIN; INSERT INTO keyed VALUES (-1001, 'given up'); PREPARE TRANSACTION 'given up'});
$t->source_sql(q{INSERT INTO large VALUES (1, 'meanwhile')});
$_->wait_applied_ok("task $_->{task} goes on while transactions are prepared") for @tasks;
is(SluiceTest::psql(conninfo_of('mart'), 'SELECT count(*) FROM keyed WHERE id IN (-1000, -1001)'), 0, 'nothing of what is prepared comes through');
$t->source_sql(q{COMMIT PREPARED 'kept'; ROLLBACK PREPARED 'given up'});
same_ok('prepared transactions');

$t->source_sql(q{ALTER TABLE keyed ADD COLUMN more int DEFAULT 7; UPDATE keyed SET more = id WHERE id < 0});
same_ok('a new column');

$t->source_sql(q{BEGIN; TRUNCATE keyed, bag; INSERT INTO keyed VALUES (1, 'first'); COMMIT; INSERT INTO bag VALUES (1, 'x'), (1, 'x')});
same_ok('TRUNCATE');

SluiceTest::psql(conninfo_of('dw'), 'DELETE FROM large WHERE id % 2 = 0');
$second->wait_applied_ok('what others change in the middle goes through, too');
is(SluiceTest::psql(conninfo_of('mart'), 'SELECT count(*) FROM large WHERE id % 2 = 0'), 0, 'it is gone behind');
$first->run_ok('table', 'resync', 'public.large');
$first->poll_ok(sub { (() = $first->log =~ /copied public\.large:/g) > 1 }, 'the first task copies a table again');
same_ok('a new copy');
$_->run_ok('compare') for @tasks;

is($_->stop, 0, "task $_->{task} ends") for @tasks;
unlike(PostgreSQL::Test::Utils::slurp_file($t->source->logfile), qr/deadlock detected/, 'nothing waited for itself');

done_testing();
