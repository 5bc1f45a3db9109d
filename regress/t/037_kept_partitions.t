#!/usr/bin/perl
# Partitioned tables that stay partitioned: schema.partitions says keep.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $six = $t->destination_is_greenplum6;

$t->source_sql(q{
	CREATE SCHEMA leaves;
	CREATE TABLE by_day (id int, at date, region text, v text, PRIMARY KEY (id, at, region)) PARTITION BY RANGE (at);
	CREATE TABLE leaves.early PARTITION OF by_day FOR VALUES FROM (MINVALUE) TO ('2023-01-01');
	CREATE TABLE leaves.by_day_2023 PARTITION OF by_day FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
	CREATE TABLE by_day_2024 PARTITION OF by_day FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY LIST (region);
	CREATE TABLE leaves.by_day_2024_eu PARTITION OF by_day_2024 FOR VALUES IN ('eu', 'it''s');
	CREATE TABLE by_day_default PARTITION OF by_day FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
	CREATE TABLE "by List" (id int, kind text, v int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
	CREATE TABLE "by List a" PARTITION OF "by List" FOR VALUES IN ('a, )', 'b');
	CREATE TABLE "by List rest" PARTITION OF "by List" DEFAULT;
	CREATE TABLE numbers (n int PRIMARY KEY, v text) PARTITION BY RANGE (n);
	CREATE TABLE numbers_1 PARTITION OF numbers FOR VALUES FROM (-10) TO (0);
	CREATE TABLE numbers_2 PARTITION OF numbers FOR VALUES FROM (0) TO (MAXVALUE);
	CREATE TABLE hashed (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
	CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE TABLE expressed (id int, v text) PARTITION BY RANGE ((id / 10), v);
	CREATE TABLE expressed_0 PARTITION OF expressed FOR VALUES FROM (0, 'a') TO (1, 'b');
	ALTER TABLE expressed REPLICA IDENTITY FULL; ALTER TABLE expressed_0 REPLICA IDENTITY FULL;
	CREATE TABLE bare (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE INDEX by_v ON by_day (v);
	INSERT INTO by_day SELECT i, date '2022-06-01' + i % 940, CASE i % 2 WHEN 0 THEN 'eu' ELSE 'it''s' END, 'v' FROM generate_series(1, 2000) i;
	INSERT INTO "by List" SELECT i, CASE i % 3 WHEN 0 THEN 'a, )' WHEN 1 THEN 'b' ELSE 'other' END, i FROM generate_series(1, 100) i;
	INSERT INTO numbers SELECT i, 'v' FROM generate_series(-10, 100) i;
	INSERT INTO hashed SELECT i, 'v' FROM generate_series(1, 100) i;
	INSERT INTO expressed SELECT i, 'a' FROM generate_series(1, 9) i;
});
my @tables = ('public.by_day', 'public."by List"', 'public.numbers', 'public.hashed', 'public.expressed', 'public.bare');

$t->configure({ tables => { include => ['public.*'] }, schema => { partitions => 'keep', indexes => 'all' } });
my $ddl = $t->run_ok('schema')->{stdout};
if ($six)
{
	like($ddl, qr/-- as one table: .*\nCREATE TABLE "public"\."$_"/, "$_ cannot be expressed") for qw(hashed expressed);
	like($ddl, qr/PARTITION "numbers_1" START \('?-10'?\) END \(0\)/, 'ranges in its own words');
}
else
{
	like($ddl, qr/CREATE TABLE "leaves"\."by_day_2024_eu" PARTITION OF "public"\."by_day_2024" FOR VALUES IN \('eu', 'it''s'\)( WITH \(fillfactor = 90\))?;/, 'partitions of partitions');
	like($ddl, qr/CREATE TABLE "public"\."by_day_default1" PARTITION OF "public"\."by_day" DEFAULT( WITH \(fillfactor = 90\))?;/, 'a default partition that has no other one\'s name');
	unlike($ddl, qr/(PARTITION OF "public"\."(by List|hashed)" DEFAULT.*){2}/s, 'and none where there is one');
}
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);

# How many partitions the root has; where the rows of one value are.
sub partitions { my ($table) = @_; return $t->destination_sql("SELECT count(*) FROM pg_inherits WHERE inhparent = '$table'::regclass"); }
is(partitions('by_day'), 5, 'ranges');
is(partitions('public."by List"'), 2, 'lists');
is(partitions('numbers'), 3, 'numbers');
is(partitions('bare'), 1, 'none but the default');
is(partitions('hashed'), $six ? 0 : 2, 'hashes');
is(partitions('expressed'), $six ? 0 : 2, 'expressions');
my %leaf = $six ? (2023 => 'by_day_1_prt_by_day_2023', default => 'by_day_1_prt_default') : (2023 => 'leaves.by_day_2023', default => 'by_day_default1');
is($t->destination_sql("SELECT count(*) FROM $leaf{2023}"), $t->source_sql('SELECT count(*) FROM leaves.by_day_2023'), 'the rows of a leaf');
is($t->destination_sql("SELECT count(*) FROM pg_indexes WHERE tablename = 'by_day' AND indexname = 'by_v'"), 1, 'the index of the root');

$t->start;
$t->source_sql(q{
	UPDATE by_day SET at = at + 365 WHERE id % 3 = 0 AND at < '2024-01-01'; UPDATE by_day SET v = 'w' WHERE id % 5 = 0; DELETE FROM by_day WHERE id % 7 = 0;
	CREATE TABLE by_day_2026 PARTITION OF by_day FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
	CREATE TABLE by_day_2024_us PARTITION OF by_day_2024 FOR VALUES IN ('us');
	INSERT INTO by_day SELECT i, '2026-05-05', 'eu', 'late' FROM generate_series(1, 20) i; INSERT INTO by_day VALUES (1, '2024-05-05', 'us', 'late');
	UPDATE by_day SET at = '2030-05-05' WHERE id = 3; UPDATE "by List" SET kind = 'b' WHERE id % 2 = 0; DELETE FROM "by List" WHERE id < 9;
	DELETE FROM numbers WHERE n < -5; UPDATE numbers SET n = -7 WHERE n = 0;
	UPDATE hashed SET id = id + 1000, v = 'x' WHERE id > 50; UPDATE expressed SET v = 'aa' WHERE id % 2 = 0; DELETE FROM expressed WHERE id = 3;
});
$t->wait_applied_ok('changes, and rows that move');
$t->all_equal_ok(@tables);
is($t->destination_sql("SELECT count(*) FROM $leaf{default}"), 19, 'rows of a later partition are in the default one');
$t->source_sql('TRUNCATE by_day, numbers; INSERT INTO numbers VALUES (5)');
$t->wait_applied_ok('truncate');
$t->all_equal_ok(@tables);
is($t->stop, 0, 'it stops');

done_testing();
