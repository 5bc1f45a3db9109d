#!/usr/bin/perl
# Conditions on rows: the destination holds exactly those that match now,
# whatever the replica identity tells of the rows that were.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });
my $greenplum = $t->destination_is_greenplum;
my $long = "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) i)";
my $filtered = "region text, n int, note text, big text";

# The same history for each, under another identity or target.
my %tables = (
	by_key => "id int PRIMARY KEY, $filtered", by_full => "id int PRIMARY KEY, $filtered", keyless => "id int, $filtered",
	by_index => "id int, code int NOT NULL UNIQUE, $filtered", more => "id int PRIMARY KEY, $filtered",
	fired => "id int PRIMARY KEY, $filtered", parted => "id int, $filtered, PRIMARY KEY (id, n)",
	key_tells => "id int PRIMARY KEY, $filtered",
);
my %where = map { $_ => "region = 'EU' AND n > 0 -- those of Europe" } keys %tables;
$where{parted} = "(parted.region)::text IN ('EU', 'CH') OR \"n\" IS NULL";
$where{key_tells} = 'id % 3 = 0';
my @tables = sort keys %tables;

$t->source_sql("CREATE TABLE $_ ($tables{$_})" . ($_ eq 'parted' ? ' PARTITION BY RANGE (n)' : '')) for @tables;
$t->source_sql(q{
	CREATE TABLE parted_low (big text, n int NOT NULL, dropped int, note text, region text, id int NOT NULL);
	ALTER TABLE parted_low DROP COLUMN dropped;
	ALTER TABLE parted ATTACH PARTITION parted_low FOR VALUES FROM (MINVALUE) TO (10);
	CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (MAXVALUE);
	ALTER TABLE by_full REPLICA IDENTITY FULL; ALTER TABLE keyless REPLICA IDENTITY FULL;
	ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
});
sub each_table
{
	my ($sql) = @_;
	for my $table (@tables)
	{
		my $statement = $sql;
		$statement =~ s/\bTABLE\b/$table/g;
		$statement =~ s/\(id, /(code, id, /g, $statement =~ s/SELECT (\w+), /SELECT $1, $1, /g if $table eq 'by_index';
		$t->source_sql($statement);
	}
}
each_table("INSERT INTO TABLE (id, region, n, note) SELECT i, CASE i % 4 WHEN 0 THEN 'EU' WHEN 1 THEN 'US' WHEN 2 THEN 'CH' END, i % 7, 'note ' || i FROM generate_series(1, 100) i");
# One that has more columns, one with a trigger that fires.
$t->destination_sql("CREATE TABLE more (mine text DEFAULT 'mine', id int PRIMARY KEY, $filtered)");
my $user = '';
if (!$greenplum)
{
	$t->destination_sql(q{
		CREATE TABLE fired (id int PRIMARY KEY, region text, n int, note text, big text);
		CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(new, old); END';
		CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE ON fired FOR EACH ROW EXECUTE FUNCTION fire();
		ALTER TABLE fired ENABLE ALWAYS TRIGGER fire;
	});
}
my $config = { tables => { include => ['public.*'], exclude => ['public.spare*'], overrides => [ map { { source => "public.$_", where => $where{$_} } } @tables ] } };
$t->configure($config);

sub matching_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for my $table (@tables)
	{
		my $columns = 'id, region, n, note, md5(big)';
		my $rows = sub { "SELECT string_agg(concat_ws('|', $columns), ',' ORDER BY concat_ws('|', $columns)) FROM $table $_[0]" };
		is($t->destination_sql($rows->('')), $t->source_sql($rows->("WHERE ($where{$table}\n)")), "$name: $table");
	}
}

my $check = $t->run_ok('check')->{stdout};
like($check, qr/^ok +where +public\.key_tells: id % 3 = 0$/m, 'check shows the condition');
like($check, qr/^warning +where +public\.by_key: an update that makes a row match stops .*: ALTER TABLE public\.by_key REPLICA IDENTITY FULL$/m, 'and what the identity does not tell');
unlike($check, qr/^warning +where +public\.(by_full|keyless|key_tells)/m, 'where it tells all');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
matching_ok('the copy');
$t->destination_sql("UPDATE more SET mine = 'mine ' || id");

$t->start;
each_table(q{
	INSERT INTO TABLE (id, region, n, note) SELECT i, CASE i % 2 WHEN 0 THEN 'EU' ELSE 'US' END, i, 'new' FROM generate_series(101, 120) i;
	UPDATE TABLE SET region = 'EU' WHERE id BETWEEN 1 AND 20;
	UPDATE TABLE SET region = 'US' WHERE id BETWEEN 11 AND 30;
	UPDATE TABLE SET region = NULL WHERE id BETWEEN 31 AND 40;
	UPDATE TABLE SET note = 'changed' WHERE id BETWEEN 35 AND 60;
	UPDATE TABLE SET n = n + 12 WHERE id BETWEEN 50 AND 70;
	UPDATE TABLE SET id = id + 1000 WHERE id BETWEEN 61 AND 80;
	UPDATE TABLE SET id = id + 1001, region = 'EU' WHERE id BETWEEN 81 AND 85;
	UPDATE TABLE SET id = id + 1001, region = 'US' WHERE id BETWEEN 86 AND 90;
	DELETE FROM TABLE WHERE id BETWEEN 91 AND 95 OR id BETWEEN 101 AND 105;
});
$t->wait_applied_ok('changes');
matching_ok('changes');
is($t->destination_sql("SELECT count(*) FROM more WHERE mine NOT LIKE 'mine%' OR mine IS NULL"), 0, 'new rows get the defaults of other columns');
cmp_ok($t->destination_sql("SELECT count(*) FROM more WHERE mine = 'mine ' || id"), '>', 0, 'and rows that stay keep theirs');
each_table(q{
	BEGIN; UPDATE TABLE SET region = 'US'; UPDATE TABLE SET region = 'EU' WHERE id % 2 = 0; DELETE FROM TABLE WHERE id = 4; INSERT INTO TABLE (id, region, n) SELECT 4, 'EU', 1; UPDATE TABLE SET region = 'CH' WHERE id = 6; UPDATE TABLE SET region = 'EU', note = 'back' WHERE id = 6; COMMIT;
	BEGIN; UPDATE TABLE SET id = -1 WHERE id = 41; UPDATE TABLE SET id = 41 WHERE id = 42; UPDATE TABLE SET id = 42 WHERE id = -1; COMMIT;
	BEGIN; SAVEPOINT a; UPDATE TABLE SET region = 'EU'; ROLLBACK TO a; UPDATE TABLE SET n = -n WHERE id = 44; COMMIT;
});
$t->wait_applied_ok('in one transaction');
matching_ok('in one transaction');

# Large values: of rows that match all the time they are left alone.
each_table("UPDATE TABLE SET big = $long || id WHERE id % 2 = 0; UPDATE TABLE SET note = 'beside' WHERE id % 4 = 0; UPDATE TABLE SET big = NULL WHERE id % 8 = 0");
$t->wait_applied_ok('large values');
matching_ok('large values');
# A row that comes to match with one needs the whole old row.
$t->source_sql("UPDATE $_ SET region = 'US' WHERE big IS NOT NULL; UPDATE $_ SET region = 'EU', n = 5 WHERE big IS NOT NULL") for qw(by_full keyless);
$t->wait_applied_ok('large values that come to match');
matching_ok('large values that come to match');
each_table("BEGIN; UPDATE TABLE SET big = NULL; INSERT INTO TABLE (id, region, n, note) SELECT i, CASE i % 3 WHEN 0 THEN 'EU' END, i, repeat('x', 200) FROM generate_series(2000, 3500) i; UPDATE TABLE SET region = 'EU' WHERE id > 3000; COMMIT");
$t->wait_applied_ok('a large transaction');
matching_ok('a large transaction');
each_table("TRUNCATE TABLE; INSERT INTO TABLE (id, region, n) SELECT 1, 'EU', 1 UNION ALL SELECT 3, 'US', 1");
$t->wait_applied_ok('TRUNCATE');
matching_ok('TRUNCATE');
$t->run_ok('compare');
is($t->stop, 0, 'it stops');

# ---- what the log does not tell

$t->source_sql("INSERT INTO by_key VALUES (50, 'US', 1, NULL, $long)");
$t->source_sql("UPDATE by_key SET region = 'EU' WHERE id = 50");
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.by_key.* came to match the table's condition, and the log lacks .*; run ALTER TABLE .* REPLICA IDENTITY FULL/i, 'a large value that is not in the log');
is($t->destination_sql('SELECT count(*) FROM by_key WHERE id = 50'), 0, 'nothing is made up');
$t->run_ok('drop');
$t->destination_sql("DROP TABLE $_") for @tables;

# ---- operations, columns, and what a run says of a condition

$t->source_sql(q{
	CREATE TABLE spare (id int PRIMARY KEY, region text, v text);
	INSERT INTO spare VALUES (1, 'EU', 'a'), (2, 'US', 'b');
	CREATE TYPE kind AS ENUM ('x', 'y');
	CREATE FUNCTION mine(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
	CREATE TABLE spare_typed (id int PRIMARY KEY, k kind, d date, at timestamptz, tags text[], j jsonb, "Odd ""name" text);
	INSERT INTO spare_typed VALUES (1, 'x', '2026-01-02', '2026-01-02 03:04:05+00', '{a,b}', '{"a": {"b": 1}}', 'it''s');
	INSERT INTO spare_typed VALUES (2, 'y', '2026-03-02', '2027-01-02 03:04:05+00', '{c}', '{"a": {"b": 2}}', 'a \ b');
});
sub spare { return { tables => { include => [ $_[0]{source} ], overrides => [ $_[0] ] } }; }
$t->configure(spare({ source => 'public.spare', where => "region = 'EU'", columns => [qw(id v)], rename => [ { from => 'v', to => 'w' } ] }));
$t->run_ok('run', '--until', 'current');
$t->source_sql("UPDATE spare SET region = 'EU' WHERE id = 2; INSERT INTO spare VALUES (3, 'US', 'c'), (4, 'EU', 'd'); UPDATE spare SET region = NULL WHERE id = 1");
$t->run_ok('run', '--until', 'current');
is($t->destination_sql("SELECT string_agg(id || ' ' || w, ',' ORDER BY id) FROM spare"), '2 b,4 d', 'a condition on a column that stays behind');
$t->run_ok('drop');
$t->destination_sql('DROP TABLE spare');
$t->configure(spare({ source => 'public.spare', where => "region = 'EU'", operations => [qw(insert update)] }));
$t->run_ok('run', '--until', 'current');
$t->source_sql("UPDATE spare SET region = 'US', v = 'left' WHERE id = 2; UPDATE spare SET region = 'EU', v = 'came' WHERE id = 3");
$t->run_ok('run', '--until', 'current');
is($t->destination_sql("SELECT string_agg(id || ' ' || v, ',' ORDER BY id) FROM spare"), '2 b,3 came,4 d', 'without deletes a row that ceases to match stays');
$t->run_ok('drop');
$t->destination_sql('DROP TABLE spare');

# ---- tables that take the names of others, and with them their conditions

$t->source_sql("CREATE TABLE $_ (id int PRIMARY KEY, region text)") for qw(named aimed heir_named heir_aimed);
$t->source_sql("INSERT INTO named VALUES (9, 'EU')");
$t->source_sql("INSERT INTO heir_$_ VALUES (1, 'US'), (2, 'EU')") for qw(named aimed);
$t->configure({ tables => { include => [ map { "public.$_" } qw(named aimed heir_named heir_aimed) ],
	overrides => [ { source => 'public.named', where => "region = 'EU'" }, { source => 'public.aimed', target => 'public.aim', where => "region = 'EU'" } ] } });
$t->run_ok('run', '--until', 'current');
$t->source_sql("DROP TABLE $_; ALTER TABLE heir_$_ RENAME TO $_; INSERT INTO $_ VALUES (3, 'US'), (4, 'EU'); DELETE FROM $_ WHERE id = 1") for qw(named aimed);
for my $round (1 .. 3)
{
	$t->run_ok('run', '--until', 'current');
	$t->source_sql("INSERT INTO named VALUES (1$round, 'EU'); INSERT INTO aimed VALUES (1$round, 'EU')");
}
$t->run_ok('run', '--until', 'current');
is($t->destination_sql("SELECT string_agg(id::text, ',' ORDER BY id) FROM $_"), '2,4,11,12,13', "$_ has the rows that match") for qw(named aim);
$t->run_ok('drop');
$t->destination_sql('DROP TABLE named, aim, heir_aimed');

my @conditions = (
	"k = 'x'", "d < '02/01/2026'", "at < '2026-01-02 03:04:06'", "tags && '{a,z}'", "j #>> '{a,b}' = '1'", q{"Odd ""name" = 'it''s'},
	"lower(spare_typed.\"Odd \"\"name\") LIKE 'IT%' OR id BETWEEN 0 AND 1", 'id = ANY (ARRAY[1, 3])', "CASE WHEN d IS NULL THEN false ELSE length(tags[1]) = 1 AND d <> '2026-03-02'::date END",
	"tags[1] ~ '^a' /* not a quote ' */", "\"Odd \"\"name\" <> 'a \\ b'",
);
# A table for each; the row with 1 matches, the one with 2 does not.
$t->source_sql("CREATE SCHEMA typed; " . join ' ', map { "CREATE TABLE typed.t$_ (LIKE spare_typed INCLUDING ALL); INSERT INTO typed.t$_ SELECT * FROM spare_typed;" } 0 .. $#conditions);
$conditions[$_] =~ s/spare_typed/t$_/ for 0 .. $#conditions;
$t->configure({ tables => { include => ['typed.*'], overrides => [ map { { source => "typed.t$_", where => $conditions[$_] } } 0 .. $#conditions ] } });
$t->run_ok('run', '--until', 'current');
$t->source_sql(join ' ', map { "BEGIN; UPDATE typed.t$_ SET id = id + 10 WHERE id = 2; INSERT INTO typed.t$_ SELECT id + 2, k, d, at, tags, j, \"Odd \"\"name\" FROM typed.t$_; UPDATE typed.t$_ SET id = id - 12 WHERE id > 11; COMMIT;" } 0 .. $#conditions);
$t->run_ok('run', '--until', 'current');
for (0 .. $#conditions)
{
	my $ids = "SELECT string_agg(id::text, ',' ORDER BY id) FROM typed.t$_";
	is($t->destination_sql($ids), $t->source_sql("$ids WHERE $conditions[$_]\n"), "holds: $conditions[$_]");
}
is($t->destination_sql('SELECT count(*) FROM typed.t0'), 2, 'some match');
$t->run_ok('drop');

sub refused
{
	my ($where, $pattern) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->configure(spare({ source => 'public.spare', where => $where }));
	my $result = $t->sluice('check');
	is($result->{status}, 3, "refused: $where");
	like($result->{stdout}, qr/^failed +where +public\.spare: .*$pattern/m, "says why: $where");
}
refused('nothing = 1', qr/its condition cannot be used: .*column "nothing" does not exist/);
refused('region =', qr/syntax error/);
refused('id', qr/must be type boolean, not type integer/);
refused('at < now()', qr/column "at" does not exist/);
refused("now() > '2026-01-01'", qr/must be marked IMMUTABLE/);
refused('public.mine(id)', qr/may call built-in functions and operators alone, not function (public\.)?mine\(integer\)/);
refused('id IN (SELECT 1)', qr/cannot use subquery/);
refused('count(*) > 1', qr/aggregate functions are not allowed/);
refused('ctid IS NOT NULL', qr/system columns/);
refused("id > 0) OR (id < 0", qr/its condition cannot be used: .*syntax error/);

# A user who may make no temporary table there hears of it from the plugin.
$t->source_sql("REVOKE TEMPORARY ON DATABASE shop FROM PUBLIC; CREATE ROLE reader LOGIN REPLICATION; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; GRANT pg_read_all_settings, pg_monitor TO reader");
my $conninfo = $t->source_conninfo =~ s/user=\w+/user=reader/r;
my $mine = spare({ source => 'public.spare', where => 'public.mine(id)' });
$t->configure({ %$mine, source => { conninfo => $conninfo } });
like($t->run_ok('check')->{stdout}, qr/^warning +where +public\.spare: its condition cannot be tried before the stream starts/m, 'without the right to try it');
$t->run_ok('run', '--until', 'current');
$t->source_sql("INSERT INTO spare VALUES (20, 'EU', 'x')");
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/the condition of public\.spare cannot be used: it calls functions that are not built in/, 'the plugin refuses it');
$t->run_ok('drop');

done_testing();
