#!/usr/bin/perl
# Replica identities and what hangs on them: keys that change, rows without a
# key, TOASTed values that the log does not repeat.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i)";

$t->source_sql(qq{
	CREATE TABLE by_default (id int PRIMARY KEY, v text, n int);
	CREATE TABLE by_index (id int PRIMARY KEY, a text NOT NULL, b int NOT NULL, v text);
	CREATE UNIQUE INDEX by_index_key ON by_index (b, a);
	ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_key;
	CREATE TABLE full_with_key (id int PRIMARY KEY, v text);
	ALTER TABLE full_with_key REPLICA IDENTITY FULL;
	CREATE TABLE full_with_unique (a int NOT NULL UNIQUE, v text);
	ALTER TABLE full_with_unique REPLICA IDENTITY FULL;
	CREATE TABLE full_without (a int, b text, c numeric, d json, e point, f xml);
	ALTER TABLE full_without REPLICA IDENTITY FULL;
	CREATE TABLE full_nullable (a int UNIQUE, b text);
	ALTER TABLE full_nullable REPLICA IDENTITY FULL;
	CREATE TABLE spelled (k char(5), c numeric, v varchar(10), d date);
	ALTER TABLE spelled REPLICA IDENTITY FULL;
	CREATE TABLE nothing (id int PRIMARY KEY, v text);
	ALTER TABLE nothing REPLICA IDENTITY NOTHING;
	CREATE TABLE no_key (id int, v text);
	CREATE TABLE changing (id int PRIMARY KEY, other int NOT NULL UNIQUE, v text);
	CREATE TABLE toasted (id int PRIMARY KEY, u int UNIQUE, a text, b text, c text, n int);
	ALTER TABLE toasted ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
	CREATE TABLE toasted_full (id int PRIMARY KEY, a text, n int);
	ALTER TABLE toasted_full REPLICA IDENTITY FULL;
	CREATE TABLE toasted_no_key (a text, n int);
	ALTER TABLE toasted_no_key REPLICA IDENTITY FULL;
	CREATE TABLE toasted_key (k text PRIMARY KEY, a text, n int);
	ALTER TABLE toasted_key ALTER k SET STORAGE EXTERNAL;

	INSERT INTO by_default SELECT i, 'v' || i, i FROM generate_series(1, 100) i;
	INSERT INTO by_index SELECT i, 'a' || i % 10, i, 'v' FROM generate_series(1, 100) i;
	INSERT INTO full_with_key SELECT i, 'v' FROM generate_series(1, 100) i;
	INSERT INTO full_with_unique SELECT i, NULL FROM generate_series(1, 100) i;
	INSERT INTO full_without SELECT i % 5, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'b' END, i % 2 / 10.0, '{"a":  1}', '(1,2)', '<a/>'
		FROM generate_series(1, 300) i;
	INSERT INTO full_without SELECT FROM generate_series(1, 10);
	INSERT INTO full_nullable SELECT CASE WHEN i > 50 THEN i END, 'b' || i % 2 FROM generate_series(1, 100) i;
	INSERT INTO spelled SELECT 'k', c::numeric, v, '2024-01-01' FROM generate_series(1, 5) i, unnest('{1,1.0,1.00}'::text[]) c, unnest('{x,"x "}'::text[]) v;
	INSERT INTO nothing SELECT i, 'v' FROM generate_series(1, 10) i;
	INSERT INTO no_key SELECT i, 'v' FROM generate_series(1, 10) i;
	INSERT INTO changing SELECT i, -i, 'v' FROM generate_series(1, 100) i;
	INSERT INTO toasted SELECT i, i, a, b, 'c' || i, i FROM generate_series(1, 50) i, $long a (a), (SELECT reverse(a) FROM $long a (a)) b (b);
	INSERT INTO toasted_full SELECT i, a || i, i FROM generate_series(1, 20) i, $long a (a);
	INSERT INTO toasted_no_key SELECT a || i % 5, i % 2 FROM generate_series(1, 20) i, $long a (a);
	INSERT INTO toasted_key SELECT i || substr(a, 1, 2400), a, i FROM generate_series(1, 20) i, $long a (a);
});
my @tables = map { "public.$_" } qw(by_default by_index full_with_key full_with_unique full_without full_nullable spelled nothing no_key
	changing toasted toasted_full toasted_no_key toasted_key);

# ---- without an identity there is nothing to follow updates and deletes by

$t->configure;
my $result = $t->fails_like([ 'run', '--until', 'current' ], 3, qr/2 checks? failed|no replica identity/, 'tables without identity');
like($result->{stderr}, qr/public\.$_: .*replica identity/, "$_ is named") for qw(nothing no_key);
$t->configure({ tables => { include => [ 'public.no_key', 'public.nothing' ] }, operations => [ 'insert', 'truncate' ] });
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('public.no_key', 'public.nothing');
$t->source_sql("UPDATE no_key SET v = 'not followed'; DELETE FROM nothing; INSERT INTO no_key VALUES (11, 'x'); INSERT INTO nothing VALUES (11, 'x')");
$t->run_ok('run', '--until', 'current');
is($t->destination_sql('SELECT (SELECT count(*) FROM nothing), (SELECT count(*) FROM no_key),
	(SELECT count(*) FROM no_key WHERE v = \'not followed\')'), '11|11|0', 'inserts alone are applied');
$t->source_sql('TRUNCATE nothing, no_key');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('public.no_key', 'public.nothing');
$t->run_ok('drop');
$t->destination_sql('DROP TABLE nothing, no_key');

# ---- each identity

$t->source_sql('DROP TABLE nothing, no_key');
@tables = grep { !/nothing|public\.no_key/ } @tables;
$t->configure;
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);
$t->start;

sub change
{
	my ($name, $sql, @concerned) = @_;
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	$t->all_equal_ok(map { "public.$_" } @concerned);
}

change('plain changes', q{
	UPDATE by_default SET v = 'new' WHERE id % 2 = 0; DELETE FROM by_default WHERE id % 7 = 0;
	UPDATE by_index SET v = NULL WHERE id % 2 = 0; DELETE FROM by_index WHERE id % 7 = 0;
	UPDATE by_index SET id = -id, v = 'moved' WHERE id % 3 = 0; UPDATE by_index SET a = 'z', b = b + 1000 WHERE id % 5 = 0;
	UPDATE full_with_key SET v = NULL WHERE id % 2 = 0; DELETE FROM full_with_key WHERE id % 7 = 0; UPDATE full_with_key SET id = -id WHERE id < 20;
	UPDATE full_with_unique SET v = 'x' WHERE a % 2 = 0; DELETE FROM full_with_unique WHERE a % 7 = 0; UPDATE full_with_unique SET a = -a WHERE a < 20;
}, qw(by_default by_index full_with_key full_with_unique));

change('key changes: a chain, a swap, a ring, out and in again, all in one transaction', q{
	BEGIN;
	UPDATE by_default SET id = 1001 WHERE id = 1; UPDATE by_default SET id = 1002 WHERE id = 1001; UPDATE by_default SET v = 'chain', id = 1003 WHERE id = 1002;
	UPDATE by_default SET id = -2 WHERE id = 2; UPDATE by_default SET id = 2 WHERE id = 3; UPDATE by_default SET id = 3 WHERE id = -2;
	UPDATE by_default SET id = -4 WHERE id = 4; UPDATE by_default SET id = 4 WHERE id = 5; UPDATE by_default SET id = 5 WHERE id = 6; UPDATE by_default SET id = 6 WHERE id = -4;
	DELETE FROM by_default WHERE id = 8; INSERT INTO by_default VALUES (8, 'again'); UPDATE by_default SET id = 2008 WHERE id = 8; INSERT INTO by_default VALUES (8, 'and again');
	INSERT INTO by_default VALUES (3000, 'in and out'); DELETE FROM by_default WHERE id = 3000;
	INSERT INTO by_default VALUES (3001, 'in, changed'); UPDATE by_default SET id = 3002 WHERE id = 3001; DELETE FROM by_default WHERE id = 3002;
	UPDATE by_default SET id = 10 + 5000 WHERE id = 10; INSERT INTO by_default VALUES (10, 'new ten'); DELETE FROM by_default WHERE id = 5010;
	UPDATE by_default SET id = id + 100000;
	UPDATE by_default SET id = id - 100000;
	COMMIT;
}, 'by_default');

change('rows without a key: exactly as many as at the source', q{
	DELETE FROM full_without WHERE ctid IN (SELECT ctid FROM full_without WHERE a = 1 AND b = '' LIMIT 3);
	DELETE FROM full_without WHERE ctid IN (SELECT ctid FROM full_without WHERE a IS NULL LIMIT 4);
	UPDATE full_without SET b = NULL WHERE ctid IN (SELECT ctid FROM full_without WHERE b = '' LIMIT 10);
	UPDATE full_without SET b = '' WHERE ctid IN (SELECT ctid FROM full_without WHERE b IS NULL AND a IS NOT NULL LIMIT 5);
	UPDATE full_without SET c = 0.10 WHERE ctid IN (SELECT ctid FROM full_without WHERE c = 0.1 LIMIT 7);
	UPDATE full_without SET d = '{"a": 1}' WHERE a = 2; UPDATE full_without SET e = '(3,4)' WHERE a = 3; UPDATE full_without SET f = NULL WHERE a = 4;
	UPDATE full_without SET a = a WHERE a = 0;
	INSERT INTO full_without SELECT * FROM full_without LIMIT 50;
	DELETE FROM full_nullable WHERE ctid IN (SELECT ctid FROM full_nullable WHERE a IS NULL AND b = 'b1' LIMIT 5);
	UPDATE full_nullable SET a = 1 WHERE ctid IN (SELECT ctid FROM full_nullable WHERE a IS NULL LIMIT 1);
	UPDATE full_nullable SET a = NULL WHERE a % 2 = 1;
}, qw(full_without full_nullable));
change('and all in one transaction', q{
	BEGIN;
	INSERT INTO full_without SELECT * FROM full_without WHERE a = 1;
	DELETE FROM full_without WHERE a = 1 AND b IS NULL;
	UPDATE full_without SET a = 1 WHERE a = 2;
	UPDATE full_without SET a = 2 WHERE a = 1 AND b = '';
	DELETE FROM full_without WHERE ctid IN (SELECT ctid FROM full_without WHERE a = 2 LIMIT 5);
	INSERT INTO full_without (a) VALUES (77), (77), (77); DELETE FROM full_without WHERE ctid = (SELECT max(ctid) FROM full_without WHERE a = 77);
	COMMIT;
}, 'full_without');
change('values that are equal and written differently', q{
	BEGIN;
	DELETE FROM spelled WHERE ctid IN (SELECT ctid FROM spelled WHERE c::text = '1.00' LIMIT 2);
	UPDATE spelled SET v = 'y' WHERE ctid IN (SELECT ctid FROM spelled WHERE c::text = '1.0' AND v = 'x ' LIMIT 3);
	DELETE FROM spelled WHERE ctid IN (SELECT ctid FROM spelled WHERE v = 'x' LIMIT 1);
	COMMIT;
}, 'spelled');

# ---- TOASTed values that the log leaves out

change('unchanged TOASTed values are kept', q{
	UPDATE toasted SET n = -n;
	UPDATE toasted SET c = c || 'x' WHERE id % 2 = 0;
	UPDATE toasted SET a = 'short' WHERE id % 5 = 0; UPDATE toasted SET n = 0 WHERE id % 5 = 0;
	UPDATE toasted SET a = NULL, n = 7 WHERE id % 7 = 0;
	UPDATE toasted_full SET n = -n; UPDATE toasted_full SET id = -id WHERE id < 5;
	UPDATE toasted_no_key SET n = n + 10 WHERE n = 0; DELETE FROM toasted_no_key WHERE ctid IN (SELECT ctid FROM toasted_no_key LIMIT 2);
	UPDATE toasted_key SET n = -n; UPDATE toasted_key SET k = k || 'x' WHERE n > -5; DELETE FROM toasted_key WHERE n = -10;
}, qw(toasted toasted_full toasted_no_key toasted_key));
change('with other keys', q{
	BEGIN; UPDATE toasted SET id = -id WHERE id % 3 = 0; COMMIT;
	BEGIN; UPDATE toasted SET id = 1000 WHERE id = 1; UPDATE toasted SET id = 1 WHERE id = 2; UPDATE toasted SET id = 2 WHERE id = 1000; COMMIT;
	BEGIN; UPDATE toasted SET id = 1000 WHERE id = 4; UPDATE toasted SET b = 'short b' WHERE id = 1000; UPDATE toasted SET id = 2000, n = 5 WHERE id = 1000; COMMIT;
	BEGIN; DELETE FROM toasted WHERE id = 10; UPDATE toasted SET id = 10 WHERE id = 11; INSERT INTO toasted VALUES (11, 110, 'new', 'new'); COMMIT;
}, 'toasted');
change('with other values of a secondary unique column', q{
	BEGIN; UPDATE toasted SET u = -u; UPDATE toasted SET u = 50 + u; COMMIT;
	BEGIN; UPDATE toasted SET u = 1000 WHERE id = 13; UPDATE toasted SET u = 37 WHERE id = 14; UPDATE toasted SET u = 36 WHERE id = 13; COMMIT;
}, 'toasted');
change('in a row that came in the same transaction', qq{
	BEGIN; INSERT INTO toasted SELECT 500, 500, a, 'b', 'c', 1 FROM $long a (a); UPDATE toasted SET n = 2 WHERE id = 500; UPDATE toasted SET id = 501 WHERE id = 500;
	UPDATE toasted SET a = a || 'more' WHERE id = 13; UPDATE toasted SET n = 99 WHERE id = 13; UPDATE toasted SET n = 100 WHERE id = 14; COMMIT;
}, 'toasted');

# ---- identities that change

change('the identity changes from transaction to transaction', q{
	UPDATE changing SET v = '1' WHERE id < 10;
	ALTER TABLE changing REPLICA IDENTITY USING INDEX changing_other_key;
	UPDATE changing SET v = '2' WHERE id < 20; UPDATE changing SET id = id + 1000 WHERE id < 5; UPDATE changing SET other = other - 1000 WHERE id < 8; DELETE FROM changing WHERE id = 9;
	ALTER TABLE changing REPLICA IDENTITY FULL;
	UPDATE changing SET v = '3' WHERE id < 30; UPDATE changing SET id = id + 1000 WHERE id < 12; DELETE FROM changing WHERE id = 20;
	ALTER TABLE changing REPLICA IDENTITY DEFAULT;
	UPDATE changing SET v = '4' WHERE id < 40; UPDATE changing SET id = id + 1000 WHERE id < 15; DELETE FROM changing WHERE id = 21;
}, 'changing');
change('and within one', q{
	BEGIN;
	UPDATE changing SET v = '5' WHERE id < 40;
	ALTER TABLE changing REPLICA IDENTITY FULL;
	UPDATE changing SET v = '6', id = id + 2000 WHERE id < 30; DELETE FROM changing WHERE id = 31;
	ALTER TABLE changing REPLICA IDENTITY USING INDEX changing_other_key;
	UPDATE changing SET v = '7', id = id + 2000, other = other - 5000 WHERE id < 35; DELETE FROM changing WHERE id = 36;
	COMMIT;
}, 'changing');
change('another primary key', q{
	UPDATE by_default SET v = 'unique' || id, n = id; DELETE FROM by_default WHERE id = 50;
	ALTER TABLE by_default DROP CONSTRAINT by_default_pkey, ADD PRIMARY KEY (v);
	UPDATE by_default SET n = -n; DELETE FROM by_default WHERE v LIKE '%5'; UPDATE by_default SET v = v || '!' WHERE v LIKE '%6';
	BEGIN; UPDATE by_default SET id = id + 1; UPDATE by_default SET v = 'x' || v, n = 0 WHERE v LIKE '%7'; COMMIT;
}, 'by_default');

# ---- the identity goes, and comes again

$t->source_sql('ALTER TABLE full_with_unique REPLICA IDENTITY NOTHING; INSERT INTO full_with_unique VALUES (5000); DELETE FROM full_with_unique WHERE a = 5000');
$t->source_sql(q{INSERT INTO by_default VALUES (9999, '')});
$t->poll_ok(sub { $t->log =~ /public\.full_with_unique is held: it has lost its replica identity/ }, 'a table without identity is held');
$t->wait_applied_ok('and the others go on');
is($t->stop, 0, 'SIGTERM ends it with 0');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.full_with_unique is held: it has lost its replica identity/, 'again, as long as it is so');
$t->source_sql('ALTER TABLE full_with_unique REPLICA IDENTITY FULL');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

$t->source_sql("UPDATE pg_class SET reltuples = 200000, relpages = 1 WHERE oid = 'full_without'::regclass");
like($t->sluice('check')->{stdout}, qr/^warning +identity +public\.full_without: it has no key and about \d+ rows: each batch .* reads the target as a whole/m, 'check says what a large table without a key costs');

done_testing();
