#!/usr/bin/perl
# Rows that change while their table has a name that the task does not select, or by which a condition withholds them: the plugin
# sends none of them, and the table has its old name again before the program reads the catalogs.
use strict;
use warnings;

use FindBin;
use IPC::Run;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });

# What is done to the tables; in each round with other keys.
sub changes
{
	my ($n) = @_;
	return (
		"ALTER TABLE a_inserted RENAME TO x; INSERT INTO x VALUES ($n); ALTER TABLE x RENAME TO a_inserted",
		"BEGIN; ALTER TABLE a_once RENAME TO x; INSERT INTO x VALUES ($n); ALTER TABLE x RENAME TO a_once; COMMIT",
		"INSERT INTO a_moved VALUES ($n); ALTER TABLE a_moved SET SCHEMA aside; DELETE FROM aside.a_moved; ALTER TABLE aside.a_moved SET SCHEMA public",
		"ALTER TABLE a_truncated RENAME TO x; TRUNCATE x; ALTER TABLE x RENAME TO a_truncated",
		"ALTER TABLE a_parted RENAME TO x; INSERT INTO x VALUES ($n); ALTER TABLE x RENAME TO a_parted",
		"BEGIN; ALTER TABLE a_large RENAME TO x; SAVEPOINT s; INSERT INTO x SELECT -i FROM generate_series(1, 3000) i; ROLLBACK TO s;
			INSERT INTO x SELECT $n * 10000 + i FROM generate_series(1, 3000) i; ALTER TABLE x RENAME TO a_large; COMMIT",
		"ALTER TABLE a_root RENAME TO x; INSERT INTO x VALUES ($n); ALTER TABLE x RENAME TO a_root",
		"ALTER TABLE a_unlogged RENAME TO x; ALTER TABLE x SET UNLOGGED; INSERT INTO x VALUES ($n); ALTER TABLE x SET LOGGED; ALTER TABLE x RENAME TO a_unlogged",
		"ALTER TABLE a_emptied RENAME TO x; ALTER TABLE x SET UNLOGGED; TRUNCATE x; ALTER TABLE x SET LOGGED; ALTER TABLE x RENAME TO a_emptied",
		"BEGIN; ALTER TABLE a_some RENAME TO x; ALTER TABLE a_every RENAME TO a_some; INSERT INTO a_some VALUES ($n - 10); ALTER TABLE a_some RENAME TO a_every;
			ALTER TABLE x RENAME TO a_some; COMMIT",
		"INSERT INTO a_good VALUES ($n); INSERT INTO other VALUES ($n)",
	);
}
my @tables = map { "public.a_$_" } qw(inserted once moved truncated parted large root unlogged emptied every good);

$t->source_sql(join ';', 'CREATE SCHEMA aside', 'CREATE TABLE other (id int)',
	map({ "CREATE TABLE $_ (id int PRIMARY KEY); INSERT INTO $_ VALUES (1)" } grep { !/parted|root/ } @tables, 'a_some'),
	'CREATE TABLE a_parted (id int PRIMARY KEY) PARTITION BY RANGE (id)', 'CREATE TABLE a_part PARTITION OF a_parted FOR VALUES FROM (0) TO (100)',
	'CREATE TABLE a_root (id int PRIMARY KEY) PARTITION BY RANGE (id)', 'CREATE TABLE a_leaf PARTITION OF a_root FOR VALUES FROM (0) TO (100)');
$t->configure({ tables => { include => ['public.a_*', 'public.a_leaf'], exclude => ['public.a_part'],
	overrides => [{ source => 'public.a_some', target => 'public.some', where => 'id > 0' }] } });
$t->run_ok('run', '--until', 'current');

$t->source_sql("$_;") for changes(2);
my $log = $t->run_ok('run', '--until', 'current')->{stderr};
$t->all_equal_ok(@tables);
like($log, qr/public\.a_inserted is copied again: its rows changed while it had a name that is not selected/, 'the log says why');
unlike($log, qr/a_good is copied again/, 'a table that kept its name is not copied');

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql("$_;") for changes(3);
$t->poll_ok(sub { (() = $t->log =~ /\w+ is copied again/g) >= @tables - 1 }, 'it is noticed while the program runs');
$t->poll_ok(sub { !grep { $_->{state} ne 'streaming' } @{ $t->status->{tables} } }, 'all tables stream');
$t->wait_applied_ok('all is applied');
$t->all_equal_ok(@tables);
is($t->stop, 0, 'it stops');
unlike($t->run_ok('run', '--until', 'current')->{stderr}, qr/is copied again/, 'once is enough');

# A partition that is being detached belongs to no table any more, although its own row in the catalog still says so.
if ($t->source_sql('SHOW server_version_num') >= 140000)
{
	my $reader = SluiceTest::hold($t->source_conninfo, 'SELECT count(*) FROM a_root');
	my $detaching = IPC::Run::start([ 'psql', '-XAqt', '-d', $t->source_conninfo, '-c', 'ALTER TABLE a_root DETACH PARTITION a_leaf CONCURRENTLY' ]);
	$t->poll_ok(sub { $t->source_sql('SELECT count(*) FROM pg_inherits WHERE inhdetachpending') eq '1' }, 'a partition is being detached');
	$t->source_sql('INSERT INTO a_leaf VALUES (50); INSERT INTO a_good VALUES (50)');
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok('public.a_good');
	SluiceTest::release($reader);
	ok($detaching->finish, 'it is detached');
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok('public.a_root', 'public.a_leaf');
}

done_testing();
