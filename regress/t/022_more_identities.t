#!/usr/bin/perl
# Replica identities that are not plain: indexes with further columns, expressions and conditions, partitions with an
# identity each, whole rows with columns that were dropped, generated or never stored, and rows that are equal to a
# collation alone; and a key that moves among the columns that are selected.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $version = $t->source_sql('SHOW server_version_num');
my $has_icu = $t->source_sql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'") > 0;
my $temporal = $version >= 180000;

$t->source_sql(q{
	CREATE TABLE covering (id int, v text, extra int, PRIMARY KEY (id) INCLUDE (extra));
	CREATE TABLE by_covering (a int NOT NULL, b int, v text); CREATE UNIQUE INDEX by_a ON by_covering (a) INCLUDE (b, v);
	ALTER TABLE by_covering REPLICA IDENTITY USING INDEX by_a;

	CREATE FUNCTION fits(int) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1 < 1000000';
	CREATE TABLE expressed (id int PRIMARY KEY, v int, w int NOT NULL);
	CREATE UNIQUE INDEX ON expressed ((v + 1)); CREATE UNIQUE INDEX ON expressed (w) WHERE fits(1); CREATE INDEX ON expressed (abs(v)) WHERE fits(v);

	CREATE TABLE never_stored (a int, b text); ALTER TABLE never_stored REPLICA IDENTITY FULL;
	INSERT INTO never_stored SELECT i % 5, 'b' FROM generate_series(1, 50) i;
	ALTER TABLE never_stored ADD COLUMN c bool NOT NULL DEFAULT true, ADD COLUMN d text DEFAULT 'd';
	CREATE TABLE worn (gone int, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, gone_too text, b text); ALTER TABLE worn REPLICA IDENTITY FULL;
	ALTER TABLE worn DROP COLUMN gone, DROP COLUMN gone_too;

	CREATE TABLE parted (id int, code int NOT NULL, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE TABLE parted_2 (v text, code int NOT NULL, id int NOT NULL); ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (100) TO (200);
	ALTER TABLE parted_2 REPLICA IDENTITY FULL;

	CREATE TABLE part_of (a int PRIMARY KEY, b int NOT NULL, c int NOT NULL, v text);

	INSERT INTO covering SELECT i, 'v', i FROM generate_series(1, 50) i;
	INSERT INTO by_covering SELECT i, i, 'v' FROM generate_series(1, 50) i;
	INSERT INTO expressed SELECT i, i, i FROM generate_series(1, 50) i;
	INSERT INTO worn (a, b) SELECT i % 5, 'b' FROM generate_series(1, 50) i;
	INSERT INTO parted SELECT i, i % 7, 'v' FROM generate_series(1, 199) i;
	INSERT INTO part_of SELECT i, 100 + i, 200 + i, 'v' FROM generate_series(1, 50) i;
});
my @tables = map { "public.$_" } qw(covering by_covering expressed never_stored worn parted);
if ($has_icu)
{
	$t->source_sql(q{
		CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE TABLE blurred (word text COLLATE blind, n int); ALTER TABLE blurred REPLICA IDENTITY FULL;
		INSERT INTO blurred SELECT w, 1 FROM unnest('{abc,ABC,Abc,abc}'::text[]) w});
	push @tables, 'public.blurred';
}
if ($temporal)
{
	$t->source_sql(q{
		CREATE TABLE periods (id int4range, at daterange, v text, PRIMARY KEY (id, at WITHOUT OVERLAPS));
		INSERT INTO periods SELECT int4range(i, i + 1), daterange('2024-01-01', '2024-02-01'), 'v' FROM generate_series(1, 20) i;
		CREATE TABLE unique_periods (id int4range NOT NULL, at daterange NOT NULL, v text, CONSTRAINT apart UNIQUE (id, at WITHOUT OVERLAPS));
		ALTER TABLE unique_periods REPLICA IDENTITY USING INDEX apart; INSERT INTO unique_periods SELECT * FROM periods});
	push @tables, qw(public.periods public.unique_periods);
}
$t->configure({ tables => { overrides => [ { source => 'public.part_of', columns => [qw(a b v)] } ] } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);
$t->equal_ok('public.part_of', columns => [qw(a b v)]);
$t->start;

sub change
{
	my ($name, $sql, @concerned) = @_;
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	$t->all_equal_ok(map { "public.$_" } @concerned);
}

change('indexes with further columns', q{
	UPDATE covering SET extra = -extra; UPDATE covering SET v = 'w', id = id + 100 WHERE id < 10; DELETE FROM covering WHERE id BETWEEN 20 AND 25;
	BEGIN; UPDATE covering SET id = -1 WHERE id = 30; UPDATE covering SET id = 30, extra = 0 WHERE id = 31; UPDATE covering SET id = 31 WHERE id = -1; COMMIT;
	UPDATE by_covering SET b = -b, v = NULL; UPDATE by_covering SET a = a + 100 WHERE a < 10; DELETE FROM by_covering WHERE a BETWEEN 20 AND 25;
}, qw(covering by_covering));
change('indexes with expressions and conditions', q{
	UPDATE expressed SET v = v + 1000, w = w + 1000; UPDATE expressed SET id = -id WHERE id < 20; DELETE FROM expressed WHERE id > 40;
}, 'expressed');
change('values that were never stored', q{
	UPDATE never_stored SET a = a + 10 WHERE a < 2; DELETE FROM never_stored WHERE ctid IN (SELECT ctid FROM never_stored WHERE a = 4 LIMIT 3);
	UPDATE never_stored SET d = NULL WHERE a = 3; UPDATE never_stored SET c = false WHERE a = 12 OR a = 3;
	ALTER TABLE never_stored ADD COLUMN e int DEFAULT 5; UPDATE never_stored SET a = a + 100 WHERE a = 2; DELETE FROM never_stored WHERE ctid IN (SELECT ctid FROM never_stored WHERE a = 10 LIMIT 2);
}, 'never_stored');
change('columns that were dropped or are generated', q{
	UPDATE worn SET b = 'c' WHERE a = 1; UPDATE worn SET a = a + 10 WHERE a = 2; DELETE FROM worn WHERE ctid IN (SELECT ctid FROM worn WHERE a = 3 LIMIT 4);
	ALTER TABLE worn DROP COLUMN b; INSERT INTO worn VALUES (4), (4); DELETE FROM worn WHERE ctid IN (SELECT ctid FROM worn WHERE a = 4 LIMIT 5);
}, 'worn');
change('partitions of which one logs whole rows', q{
	UPDATE parted SET v = 'w' WHERE id % 2 = 0; DELETE FROM parted WHERE id BETWEEN 105 AND 109 OR id BETWEEN 150 AND 160;
	UPDATE parted SET id = id + 100 WHERE id BETWEEN 5 AND 9; UPDATE parted SET id = 5 WHERE id = 145;
	BEGIN; UPDATE parted SET code = -code; DELETE FROM parted WHERE id IN (20, 107); INSERT INTO parted VALUES (107, 1, 'new'); UPDATE parted SET id = 20 WHERE id = 107; COMMIT;
}, 'parted');
change('of words that are equal to their collation, exactly those that were written so', q{
	DELETE FROM blurred WHERE word COLLATE "C" = 'ABC'; UPDATE blurred SET n = 2 WHERE ctid = (SELECT max(ctid) FROM blurred WHERE word COLLATE "C" = 'abc'); UPDATE blurred SET word = 'aBC' WHERE word COLLATE "C" = 'Abc';
}, 'blurred') if $has_icu;
change('periods', q{
	UPDATE periods SET v = 'w' WHERE id << '[10,11)'; DELETE FROM periods WHERE id = '[15,16)'; UPDATE periods SET at = daterange('2024-01-15', '2024-03-01') WHERE id >> '[16,17)';
	UPDATE unique_periods SET v = 'w' WHERE id << '[10,11)'; DELETE FROM unique_periods WHERE id = '[15,16)'; UPDATE unique_periods SET at = daterange('2024-01-15', '2024-03-01') WHERE id >> '[16,17)';
	BEGIN; UPDATE periods SET at = daterange('2025-01-01', '2025-02-01') WHERE id = '[3,4)'; INSERT INTO periods VALUES ('[3,4)', '[2024-01-10,2024-01-20)', 'between'); COMMIT;
}, qw(periods unique_periods)) if $temporal;

# ---- the key moves among the columns that are selected, and out of them

sub part_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->wait_applied_ok($name);
	$t->equal_ok('public.part_of', columns => [qw(a b v)]);
}
$t->source_sql(q{
	UPDATE part_of SET v = 'by a', c = c + 1000 WHERE a < 10;
	ALTER TABLE part_of DROP CONSTRAINT part_of_pkey, ADD PRIMARY KEY (b);
	UPDATE part_of SET v = 'by b' WHERE b > 120; UPDATE part_of SET a = -a WHERE b > 140; DELETE FROM part_of WHERE b = 115; UPDATE part_of SET b = b + 1000 WHERE b < 105});
part_ok('another key among them');
$t->source_sql('ALTER TABLE part_of DROP CONSTRAINT part_of_pkey, ADD PRIMARY KEY (c); UPDATE part_of SET v = \'by c\' WHERE c > 240; INSERT INTO covering VALUES (1000)');
$t->poll_ok(sub { grep { $_->{source} eq 'public.part_of' && $_->{state} eq 'held' && $_->{error} =~ /column "c", of its key, is not among .*columns.*: add it there/ } @{ $t->status->{tables} } },
	'a key that is not among them: the table is held, and says why');
$t->wait_applied_ok('the others go on');
$t->equal_ok('public.covering');
is($t->stop, 0, 'it stops');
$t->configure({ tables => { overrides => [ { source => 'public.part_of', columns => [qw(a b c v)] } ] } });
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.part_of');

# ---- partitions whose identities have nothing in common

$t->source_sql(q{
	CREATE TABLE mixed (id int, code int NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
	CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (100); CREATE TABLE mixed_2 PARTITION OF mixed FOR VALUES FROM (100) TO (200);
	CREATE UNIQUE INDEX mixed_code ON mixed_2 (code); ALTER TABLE mixed_2 REPLICA IDENTITY USING INDEX mixed_code;
	INSERT INTO mixed VALUES (1, 7), (101, 7)});
$t->configure({ task => 'mixed', tables => { include => ['public.mixed'] } });
$t->fails_like(['check'], 3, qr/public\.mixed: it has no replica identity .*REPLICA IDENTITY FULL for each of its partitions/, 'identities of one partition alone are refused');
$t->source_sql('ALTER TABLE mixed_1 REPLICA IDENTITY FULL; ALTER TABLE mixed_2 REPLICA IDENTITY FULL');
$t->run_ok('run', '--until', 'current');
$t->source_sql('DELETE FROM mixed WHERE id = 101; UPDATE mixed SET code = 8');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.mixed');

done_testing();
