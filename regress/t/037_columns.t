#!/usr/bin/perl
# Columns: subsets and other names, in tables that are made and in such that
# were there; and the operations of single tables.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
my $long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i)";

# The source's rows under the target's names, and the target's.
sub same
{
	my ($source, $target, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $all = sub { "SELECT coalesce(string_agg(r::text, E'\\n' ORDER BY r::text), '') FROM ($_[0]) r" };
	is($t->destination_sql($all->($target)), $t->source_sql($all->($source)), $name);
}

$t->source_sql(qq{
	CREATE TYPE mood AS ENUM ('fine', 'bad');
	CREATE TABLE made (id int PRIMARY KEY, customer text, total numeric(10,2), secret text, feeling mood, big text);
	ALTER TABLE made ALTER big SET STORAGE EXTERNAL;
	CREATE INDEX made_total ON made (total); CREATE INDEX made_customer ON made (customer); CREATE INDEX made_secret ON made (total) WHERE secret IS NULL;
	COMMENT ON COLUMN made.customer IS 'who it is'; COMMENT ON COLUMN made.secret IS 'nobody knows';
	CREATE TABLE there (id int PRIMARY KEY, a text, b text, c text);
	CREATE TABLE keyless (a int, b text, noise float8);
	ALTER TABLE keyless REPLICA IDENTITY FULL;
	CREATE TABLE "Odd Table" (id int PRIMARY KEY, "Order ID" int, "select" text);
	CREATE TABLE other_key (id int PRIMARY KEY, code text NOT NULL UNIQUE, v text);
	ALTER TABLE other_key REPLICA IDENTITY USING INDEX other_key_code_key;
	CREATE TABLE parted (id int, region text, v text, w text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
	CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('EU');
	CREATE TABLE parted_us (w text, v text, region text NOT NULL, id int NOT NULL);
	ALTER TABLE parted ATTACH PARTITION parted_us FOR VALUES IN ('US');
	INSERT INTO made SELECT i, 'customer ' || i, i / 4.0, 'secret', 'fine', long FROM generate_series(1, 50) i, $long l (long);
	INSERT INTO there SELECT i, 'a' || i, 'b' || i, 'c' || i FROM generate_series(1, 50) i;
	INSERT INTO keyless SELECT i % 5, CASE WHEN i % 3 = 0 THEN 'b' END, i FROM generate_series(1, 50) i;
	INSERT INTO "Odd Table" SELECT i, i * 10, 's' FROM generate_series(1, 10) i;
	INSERT INTO other_key SELECT i, 'code ' || i, 'v' FROM generate_series(1, 10) i;
	INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'EU' ELSE 'US' END, 'v' || i, 'w' FROM generate_series(1, 20) i;
});
# Two columns swap their names; one gets the name of a column that is left out.
$t->destination_sql('CREATE TABLE there (c text, mine text DEFAULT \'mine\', a text, b text, nr int PRIMARY KEY)');
my $overrides = [
	{ source => 'public.made', target => 'dw.orders', columns => [qw(id customer total feeling big)],
		rename => [ { from => 'id', to => '"Order"' }, { from => 'customer', to => 'secret' }, { from => 'big', to => 'large' } ] },
	{ source => 'public.there', rename => [ { from => 'id', to => 'nr' }, { from => 'a', to => 'b' }, { from => 'b', to => 'a' } ] },
	{ source => 'public.keyless', columns => [qw(a b)], rename => [ { from => 'b', to => 'bb' } ] },
	{ source => 'public."Odd Table"', columns => [ 'id', '"Order ID"', '"select"' ], rename => [ { from => '"Order ID"', to => '"From"' }, { from => '"select"', to => '"a""b"' } ] },
	{ source => 'public.other_key', columns => [qw(code v)], rename => [ { from => 'code', to => 'k' } ] },
	{ source => 'public.parted', columns => [qw(id region w)], rename => [ { from => 'region', to => 'area' } ] },
];
$overrides->[0]{distributed_by} = ['id'] if $greenplum;
$t->configure({ tables => { overrides => $overrides }, schema => { indexes => 'all' } });

my $check = $t->run_ok('check')->{stdout};
like($check, qr/^ok +columns +public\.made: left out, their data is not replicated: secret$/m, 'check says what stays behind');
like($check, qr/^ok +columns +public\.there: at the destination alone, their data is not replicated .*: mine$/m, 'on either side');
my $schema = $t->run_ok('schema')->{stdout};
like($schema, qr/CREATE TABLE "dw"\."orders" \(\s+"Order" integer NOT NULL,\s+"secret" text,\s+"total" numeric\(10,2\),\s+"feeling" public\.mood,\s+"large" text,\s+PRIMARY KEY \("Order"\)\s+\)/, 'schema writes the target\'s names');
like($schema, qr/COMMENT ON COLUMN "dw"\."orders"\."secret" IS E?'who it is'/, 'comments follow their columns');
unlike($schema, qr/nobody knows/, 'or stay with them');
like($schema, qr/CREATE INDEX "made_total_\d+" ON "dw"\."orders" USING btree \(total\)/, 'an index over columns that keep their names');
like($schema, qr/^-- without the index made_\Q$_\E: columns of the table are left out or renamed/m, "not made_$_") for qw(customer secret);
like($schema, qr/DISTRIBUTED BY \("Order"\)/, 'the distribution key is named at the source') if $greenplum;

$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

sub all_same
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	same('SELECT id, customer, total, feeling::text, big FROM made', 'SELECT "Order", secret, total, feeling, large FROM dw.orders', 'subset and names');
	same('SELECT id, a, b, c FROM there', 'SELECT nr, b, a, c FROM there', 'swapped names');
	same('SELECT a, b FROM keyless', 'SELECT a, bb FROM keyless', 'without a key');
	same('SELECT id, "Order ID", "select" FROM "Odd Table"', 'SELECT id, "From", "a""b" FROM "Odd Table"', 'odd names');
	same('SELECT code, v FROM other_key', 'SELECT k, v FROM other_key', 'another key');
	same('SELECT id, region, w FROM parted', 'SELECT id, area, w FROM parted', 'partitions');
}
all_same();
is($t->destination_sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'dw.orders'::regclass AND attnum > 0"), 5, 'five columns, no more');

$t->start;
$t->source_sql(qq{
	UPDATE made SET secret = 'still secret'; UPDATE made SET customer = 'x' WHERE id % 2 = 0; UPDATE made SET id = id + 100 WHERE id < 5;
	DELETE FROM made WHERE id BETWEEN 20 AND 25; INSERT INTO made SELECT 300, 'new', 1, 's', 'bad'; UPDATE made SET total = 5, secret = $long WHERE id = 300;
	UPDATE there SET a = 'A' WHERE id % 2 = 0; UPDATE there SET b = c, c = NULL WHERE id % 3 = 0; UPDATE there SET id = -id WHERE id < 5; DELETE FROM there WHERE id = 7; INSERT INTO there VALUES (100, 'a', 'b', 'c');
	UPDATE keyless SET noise = -noise; UPDATE keyless SET b = 'new' WHERE a = 1; DELETE FROM keyless WHERE a = 2; DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE a = 3 LIMIT 4); INSERT INTO keyless VALUES (9, NULL, 1), (9, NULL, 2);
	UPDATE "Odd Table" SET "Order ID" = 0, "select" = NULL WHERE id < 5; DELETE FROM "Odd Table" WHERE id = 6;
	UPDATE other_key SET id = id + 50; UPDATE other_key SET v = 'w' WHERE code < 'code 3'; UPDATE other_key SET code = code || '!' WHERE v = 'v'; DELETE FROM other_key WHERE code = 'code 1';
	UPDATE parted SET v = 'only here'; UPDATE parted SET region = 'US' WHERE id < 7; UPDATE parted SET w = 'new' WHERE id = 9; DELETE FROM parted WHERE id = 11; INSERT INTO parted VALUES (50, 'EU');
});
$t->wait_applied_ok('changes');
all_same();
$t->source_sql('BEGIN; TRUNCATE keyless; INSERT INTO keyless SELECT i % 3, NULL, i FROM generate_series(1, 3000) i; DELETE FROM keyless WHERE noise > 1500; COMMIT; TRUNCATE parted');
$t->wait_applied_ok('TRUNCATE');
all_same();
$t->run_ok('compare');
is($t->stop, 0, 'it stops');
$t->run_ok('drop');

# ---- what check refuses

sub refused
{
	my ($override, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->configure({ schema => { changes => 'stop' }, tables => { include => [ $override->{source} ], overrides => [ { target => 'fresh.t', %$override } ] } });
	my $result = $t->sluice('check');
	is($result->{status}, 3, "$name: refused");
	like($result->{stdout}, $pattern, "$name: says what");
}
refused({ source => 'public.there', columns => [qw(id nothing)] }, qr/failed +columns +public\.there: .*columns names the column "nothing", which does not exist; there are id, a, b, c$/m, 'a column that does not exist');
refused({ source => 'public.there', rename => [ { from => 'nothing', to => 'x' } ] }, qr/rename names the column "nothing", which does not exist; there are id, a, b, c$/m, 'a rename of one');
refused({ source => 'public.there', columns => [qw(id b)], rename => [ { from => 'a', to => 'x' } ] }, qr/"a" is renamed, but is not among its columns/, 'a rename of one that is left out');
refused({ source => 'public.there', rename => [ { from => 'a', to => 'c' } ] }, qr/"a" and "c" are both mapped to the column "c" of fresh\.t: rename/, 'two columns in one');
refused({ source => 'public.there', rename => [ { from => 'a', to => 'x' }, { from => 'b', to => 'x' } ] }, qr/"a" and "b" are both mapped to the column "x"/, 'two renamed to one');
refused({ source => 'public.there', rename => [ { from => 'a', to => 'x' }, { from => 'a', to => 'y' } ] }, qr/"a" is renamed twice, to "x" and to "y"/, 'one renamed twice');
refused({ source => 'public.there', columns => [qw(a b)] }, qr/failed +key +public\.there: "id", of its key, is not among/, 'the key left out');
refused({ source => 'public.there', target => 'public.there' }, qr/failed +columns +public\.there: it lacks columns of public\.there: ALTER TABLE "public"\."there" ADD COLUMN "id" integer; or leave them out/, 'a column at the source alone');
refused({ source => 'public.there', columns => [qw(id a)], distributed_by => ['b'] }, qr/column "b" of distributed_by is not among its columns/, 'distributed by what is left out') if $greenplum;
$t->configure({ tables => { include => ['public.other_key'], overrides => [ { source => 'public.other_key', target => 'fresh.t', columns => [qw(code)] } ] } });
$t->run_ok('check');

# ---- operations of single tables

$t->source_sql(q{
	CREATE TABLE lines (at int, line text);
	CREATE TABLE archive (id int PRIMARY KEY, v text);
	CREATE TABLE frozen (id int PRIMARY KEY, v text);
	CREATE TABLE full_set (id int PRIMARY KEY, v text);
	INSERT INTO lines SELECT i, 'line' FROM generate_series(1, 10) i;
	INSERT INTO archive SELECT i, 'v' FROM generate_series(1, 10) i;
	INSERT INTO frozen SELECT i, 'v' FROM generate_series(1, 10) i;
	INSERT INTO full_set SELECT i, 'v' FROM generate_series(1, 10) i;
});
$t->configure({ tables => { include => [qw(public.lines public.archive public.frozen public.full_set)], overrides => [
	{ source => 'public.lines', operations => ['insert'] },
	{ source => 'public.archive', operations => [qw(insert update)] },
	{ source => 'public.frozen', operations => ['delete'] },
	{ source => 'public.full_set', operations => [qw(insert update delete truncate)] },
] }, operations => [qw(insert update delete)] });
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(qw(public.lines public.archive public.frozen public.full_set));
$t->source_sql(q{
	UPDATE lines SET line = 'other' WHERE at = 1; DELETE FROM lines WHERE at = 2; INSERT INTO lines VALUES (11, 'new'); TRUNCATE lines; INSERT INTO lines VALUES (12, 'new');
	UPDATE archive SET v = 'w' WHERE id < 3; DELETE FROM archive WHERE id > 5; INSERT INTO archive VALUES (6, 'again'), (11, 'new'); TRUNCATE archive;
	UPDATE frozen SET v = 'w'; INSERT INTO frozen VALUES (11, 'new'); DELETE FROM frozen WHERE id < 3; TRUNCATE frozen;
	TRUNCATE full_set; INSERT INTO full_set VALUES (1, 'left');
});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql("SELECT string_agg(at || ' ' || line, ',' ORDER BY at) FROM lines"), join(',', (map { "$_ line" } 1 .. 10), '11 new', '12 new'), 'inserts alone, without any identity');
is($t->destination_sql("SELECT string_agg(id || ' ' || v, ',' ORDER BY id) FROM archive"), '1 w,2 w,3 v,4 v,5 v,6 again,7 v,8 v,9 v,10 v,11 new', 'no deletes');
is($t->destination_sql("SELECT string_agg(id || ' ' || v, ',' ORDER BY id) FROM frozen"), join(',', map { "$_ v" } 3 .. 10), 'deletes alone');
$t->equal_ok('public.full_set');
$t->run_ok('compare');
$t->run_ok('drop');

# ---- without deletes: one key in several forms within a batch, the last row of which stays

$t->source_sql(q{
	CREATE TABLE spelled (k numeric PRIMARY KEY, v text); INSERT INTO spelled VALUES (1.0, 'old');
	CREATE TABLE timed (k interval PRIMARY KEY, v text); INSERT INTO timed VALUES ('1 day', 'old');
});
$t->configure({ tables => { include => [qw(public.spelled public.timed)] }, operations => [qw(insert update)] });
$t->run_ok('run', '--until', 'current');
$t->source_sql(q{
	BEGIN; INSERT INTO spelled VALUES (20.0, 'first'); DELETE FROM spelled WHERE k = 20; INSERT INTO spelled VALUES (20.00, 'second'); DELETE FROM spelled WHERE k = 20;
	INSERT INTO spelled VALUES (20.0, 'third'); DELETE FROM spelled WHERE k = 1; INSERT INTO spelled VALUES (1.00, 'new'); COMMIT;
	BEGIN; INSERT INTO timed VALUES ('2 days', 'first'); DELETE FROM timed; INSERT INTO timed VALUES ('48:00', 'second'), ('24:00', 'new'); COMMIT;
	INSERT INTO spelled SELECT i, 'many' FROM generate_series(100, 200) i;
});
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(qw(public.spelled public.timed));
$t->run_ok('drop');

done_testing();
