#!/usr/bin/perl
# Transactions of the source that are not plain ones: prepared, with a replication origin, with logical messages.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "max_prepared_transactions = 5\nlogical_decoding_work_mem = 64kB" });
my @tables = ('public.a', 'public.b');

sub applied_ok
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
}

$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'v' FROM generate_series(1, 100) i; SELECT pg_replication_origin_create('elsewhere')});
$t->configure;
applied_ok();

# What is prepared is not committed, and does not hold back what commits meanwhile; small ones, and ones so large
# that the server sends them while they are open.
$t->source_sql(q{BEGIN; UPDATE a SET v = 'prepared' WHERE id = 1; INSERT INTO b VALUES (1, 'prepared'); PREPARE TRANSACTION 'small'});
$t->source_sql(q{BEGIN; SAVEPOINT s; INSERT INTO a SELECT i, repeat('x', 100) FROM generate_series(1000, 9000) i; ROLLBACK TO s;
	INSERT INTO b SELECT i, repeat('x', 100) FROM generate_series(1000, 9000) i; PREPARE TRANSACTION 'large'});
$t->source_sql(q{BEGIN; INSERT INTO b SELECT i, 'given up' FROM generate_series(20000, 30000) i; PREPARE TRANSACTION 'given up'});
$t->source_sql(q{UPDATE a SET v = 'meanwhile' WHERE id = 2});
applied_ok();
is($t->destination_sql('SELECT count(*) FROM b'), 0, 'nothing of what is prepared');
# Another process than the one that met the beginning meets the end.
$t->source_sql(q{COMMIT PREPARED 'large'; ROLLBACK PREPARED 'given up'; UPDATE b SET v = 'later' WHERE id = 1000; COMMIT PREPARED 'small'});
applied_ok();
is($t->destination_sql('SELECT count(*) FROM b'), 8002, 'all of what was committed');
$t->source_sql(q{BEGIN; ALTER TABLE b ADD more int DEFAULT 7; UPDATE b SET v = 'altered' WHERE id = 1; PREPARE TRANSACTION 'altering'});
$t->source_sql(q{INSERT INTO a VALUES (200, 'x')});
$t->source_sql(q{COMMIT PREPARED 'altering'});
applied_ok();

# A source that gets rows by replication itself marks them with an origin: they are rows as all others.
$t->source_sql(q{
	SELECT pg_replication_origin_session_setup('elsewhere');
	BEGIN; SELECT pg_replication_origin_xact_setup('0/1234', now()); UPDATE a SET v = 'from elsewhere' WHERE id = 3; INSERT INTO a VALUES (300, 'from elsewhere'); COMMIT;
	BEGIN; INSERT INTO b SELECT i, repeat('y', 100) FROM generate_series(40000, 45000) i; COMMIT;
	BEGIN; INSERT INTO a VALUES (301, 'prepared elsewhere'); PREPARE TRANSACTION 'origin';
	COMMIT PREPARED 'origin'; SELECT pg_replication_origin_session_reset()});
applied_ok();
is($t->destination_sql("SELECT count(*) FROM a WHERE v LIKE '%elsewhere'"), 3, 'rows with an origin');

# Messages of others are not asked for: nothing comes of them, in any transaction.
$t->source_sql(q{
	SELECT pg_logical_emit_message(false, 'a', 'b'); SELECT pg_logical_emit_message(true, 'a', repeat('b', 1000000));
	BEGIN; SELECT pg_logical_emit_message(true, 'a', 'b'); INSERT INTO a VALUES (400, 'with a message'); SELECT pg_logical_emit_message(true, 'a', 'b'); PREPARE TRANSACTION 'message';
	COMMIT PREPARED 'message'});
applied_ok();
$t->run_ok('compare');

done_testing();
