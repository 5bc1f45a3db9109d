#!/usr/bin/perl
# Definitions that change while the program is killed at any moment, and in
# transactions that are sent while they are open: the target is altered once,
# at its place, and both sides are equal in the end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep);

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });
$t->source_sql(q{CREATE TABLE a (id int PRIMARY KEY, v text, n int); CREATE TABLE b (id int PRIMARY KEY, v text, n int);
	INSERT INTO a SELECT i, 'a' || i, i FROM generate_series(1, 1000) i; INSERT INTO b SELECT * FROM a});
$t->configure({ apply => { max_bytes => '64kB' } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

# Each round alters both tables, between rows of one transaction, some of
# them large enough to be sent while they are open; one in three is rolled back.
for my $round (1 .. 8)
{
	my $rows = $round % 2 ? 3000 : 30;
	my $end = $round % 3 ? 'COMMIT' : 'ROLLBACK';
	my $key = 10000 * $round;
	$t->start;
	$t->source_sql(qq{
		UPDATE a SET n = n + 1 WHERE id < 100;
		BEGIN; INSERT INTO a (id, v) SELECT $key + i, 'before' FROM generate_series(1, $rows) i;
		ALTER TABLE a ADD COLUMN c$round int DEFAULT $round;
		INSERT INTO a (id, v, c$round) SELECT $key + 5000 + i, 'after', i FROM generate_series(1, $rows) i;
		SAVEPOINT s; ALTER TABLE b RENAME v TO w; UPDATE b SET w = 'undone'; ROLLBACK TO s;
		ALTER TABLE b RENAME n TO n$round; INSERT INTO b (id, n$round) SELECT $key + i, i FROM generate_series(1, $rows) i;
		ALTER TABLE b RENAME n$round TO n; UPDATE b SET n = $round WHERE id < 50; $end;
		DELETE FROM a WHERE id % 7 = 0;
		ALTER TABLE b ADD COLUMN d$round text;
		INSERT INTO b (id, d$round) VALUES ($key, 'x')});
	sleep 0.05 + 0.1 * $round;
	$t->kill9;
}
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('public.a', 'public.b');
my $columns = q{SELECT string_agg(attname, ',' ORDER BY attname) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attnum > 0 AND NOT attisdropped};
is($t->destination_sql($columns), $t->source_sql($columns), 'with the same columns');
is($t->destination_sql(q{SELECT count(*) FROM sluice.tables WHERE rows_copied = 1000}), 2, 'and neither was copied again');

# A rewrite at the end of a transaction that is sent while it is open.
$t->start;
$t->wait_applied_ok('the program runs');
$t->source_sql(q{BEGIN; INSERT INTO a (id, v) SELECT 200000 + i, repeat('x', 100) FROM generate_series(1, 3000) i; ALTER TABLE a ALTER n TYPE int USING n * 2; COMMIT});
$t->wait_applied_ok('a rewrite in a large transaction');
$t->equal_ok('public.a', wait => 1);
is($t->stop, 0, 'the program ends');

done_testing();
