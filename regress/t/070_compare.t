#!/usr/bin/perl
# sluice compare: equal sides are found equal while traffic runs, and every kind
# of difference is found.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use SluiceTest;
use Test::More;
use Traffic;

my $t = SluiceTest->new;
my $traffic = Traffic->new($t, rows => 3000, rate => 100);

# Types whose text depends on the server's version, and values that are easily
# taken for each other.
$t->source_sql(q{
	CREATE TABLE kinds (id int PRIMARY KEY, r real, d float8, ds float8[], p point, n numeric, c char(5), b bytea,
		t text, ts timestamptz, iv interval, j jsonb, bo bool, ip inet, x "char");
	INSERT INTO kinds SELECT i, i / 7.0, i / 3.0, ARRAY[i / 9.0, 'NaN', NULL], point(i / 3.0, -i), i / 8.0, 'c' || i,
		decode(md5(i::text), 'hex'), CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'ä' || i END,
		timestamptz '2020-01-01' + i * interval '1 hour', i * interval '1 minute', jsonb_build_object('a', i),
		i % 2 = 0, '10.0.0.1', 'x' FROM generate_series(1, 500) i;
	CREATE TABLE twice (a int, b text);
	ALTER TABLE twice REPLICA IDENTITY FULL;
	INSERT INTO twice SELECT i % 5, CASE WHEN i % 2 = 0 THEN 'b' END FROM generate_series(1, 100) i;
	CREATE TABLE toasted (id int PRIMARY KEY, n int, body text);
	ALTER TABLE toasted ALTER body SET STORAGE EXTERNAL;
	INSERT INTO toasted SELECT i, 0, repeat('x' || i, 2000) FROM generate_series(1, 50) i;
	CREATE TABLE chosen (id int PRIMARY KEY, number int, hidden text, region text);
	INSERT INTO chosen SELECT i, i, 'h' || i, CASE i % 3 WHEN 0 THEN 'EU' WHEN 1 THEN 'US' END FROM generate_series(1, 100) i;
	ALTER TABLE chosen REPLICA IDENTITY FULL;
	CREATE TABLE written (id int PRIMARY KEY, x xml, b bool, c char(5), ip inet, r real, j jsonb, a float8[]);
	INSERT INTO written SELECT i, '<?xml version="1.0" encoding="UTF-8"?><a/>', i % 2 = 0, 'c', '10.0.0.1', i / 7.0, '{"a": 1}', ARRAY[i / 9.0]
		FROM generate_series(1, 20) i;
	CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
	INSERT INTO parted SELECT generate_series(1, 50);
});
# Columns of other types, which take what the values look like.
$t->destination_sql('CREATE TABLE written (id bigint PRIMARY KEY, x text, b text, c text, ip text, r float8, j json, a text)');
my $configuration = { tables => { include => ['public.*'], overrides => [ { source => 'public.chosen', target => 'dw.chosen',
	columns => [ 'id', 'number' ], rename => [ { from => 'number', to => 'n' } ], where => q{chosen.region = 'EU' AND hidden <> 'h9'} } ] } };
$t->configure($configuration);

sub compare
{
	my ($status, $name, @arguments) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $t->sluice('compare', @arguments);
	is($result->{status}, $status, "$name: exit status") or diag($result->{stdout}, $result->{stderr});
	return $result->{stdout};
}

$t->fails_like(['compare'], 1, qr/^sluice: task "test" has copied nothing yet/, 'before the first run');
$t->run_ok('run', '--until', 'current');

# ---- without a daemon

my $out = compare(0, 'level');
like($out, qr/^equal +public\.kinds: 500 rows$/m, 'a line a table');
like($out, qr/^\d+ equal, 0 different, 0 not compared; \d+ rows as of [0-9A-F]+\/[0-9A-F]+$/m, 'the sum');
$t->source_sql(q{UPDATE kinds SET t = 'new' WHERE id = 3; INSERT INTO twice VALUES (1, 'z')});
like(compare(1, 'behind'), qr/^not compared +public\.kinds: no daemon runs, and the source has changed 1 of its rows/m,
	'what is still to come is no difference');
compare(0, 'the others', 'public.toasted', 'public.pgbench_*');
$t->run_ok('run', '--until', 'current');
compare(0, 'level again');
is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), 1, 'no slot is left behind');

# ---- while traffic runs, hot rows, key changes and TOASTed values included

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the daemon follows');
$traffic->start;
my $hot = "$t->{directory}/hot.sql";
open my $file, '>', $hot or die;
print $file q{
	\set i random(1, 50)
	BEGIN;
	UPDATE toasted SET n = n + 1 WHERE id = :i;
	UPDATE kinds SET d = d + 0.1, t = NULLIF(t, '') WHERE id = :i;
	UPDATE chosen SET number = number + 1, region = CASE WHEN region = 'EU' THEN 'US' ELSE 'EU' END WHERE id = :i;
	DELETE FROM twice WHERE ctid = (SELECT ctid FROM twice WHERE a = :i % 5 LIMIT 1);
	INSERT INTO twice VALUES (:i % 5, CASE WHEN :i % 2 = 0 THEN 'b' END);
	COMMIT;
};
close $file;
my $pgbench = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-R', 200, '-T', 600, '-f', $hot, $t->source_conninfo ],
	'>', \my $ignored, '2>', \my $complaints);
my @steady = (qw(public.kinds public.twice public.toasted public.chosen public.written public.parted),
	grep { $_ ne 'public.emptied' } $traffic->tables);
for my $round (1 .. 4)
{
	like(compare(0, "under load, round $round", @steady), qr/^13 equal, 0 different, 0 not compared/m, "round $round");
}

# The traffic truncates this table more often than a slow destination catches up: it is compared when there is time.
my $restless = IPC::Run::start([ $t->program, 'compare', '-c', $t->{config}, 'public.emptied' ], '>', \my $rested, '2>', \my $progress);
ok(SluiceTest::poll(sub { !$restless->pumpable || do { $restless->pump_nb; (() = $progress =~ /comparing 1 table again/g) > 1 } }), 'truncated all the time');
$traffic->stop;
$restless->finish;
is($restless->full_result(0), 0, 'it is compared at last') or diag($rested, $progress);
like($rested, qr/^equal +public\.emptied: \d+ rows$/m, 'and equal');
$traffic->start;

# Definitions that change, a table that is new and one that is copied again.
$t->source_sql('ALTER TABLE toasted ADD COLUMN added int DEFAULT 5; ALTER TABLE toasted RENAME COLUMN n TO m; ALTER TABLE toasted RENAME COLUMN m TO n;
	CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late SELECT generate_series(1, 1000)');
ok(SluiceTest::poll(sub {
	my $result = $t->sluice('compare', 'public.toasted', 'public.late');
	like($result->{stdout}, qr/0 different/, 'nothing differs') if $result->{status} != 2;
	$result->{status} == 0;
}), 'changed definitions are followed');

# A difference that lies among the hot rows is found, too.
$t->destination_sql('UPDATE toasted SET body = body || 1 WHERE id <= 50');
$out = compare(4, 'under load, changed', 'public.toasted');
like($out, qr/^different +public\.toasted: 50 changed of 50 rows$/m, 'every row');
$pgbench->kill_kill;
$traffic->stop;
$t->wait_applied_ok;
$t->fails_like([ 'compare', 'public.toasted' ], 4, qr/^sluice: differences in 1 of 1 table; "sluice table resync" copies them again\.$/, 'at rest, too');
$t->run_ok('table', 'resync', 'public.toasted');
ok(SluiceTest::poll(sub { $t->sluice('compare', 'public.toasted')->{status} == 0 }), 'copied again it is equal');
$t->destination_sql('TRUNCATE toasted');
like(compare(4, 'an empty target', 'public.toasted', '--limit', 3), qr/^different +public\.toasted: 50 missing of 50 rows\n(  missing  id='\d+'\n){3}  …\n/m, 'the limit');
$t->run_ok('table', 'resync', 'public.toasted');
ok(SluiceTest::poll(sub { $t->sluice('compare', 'public.toasted')->{status} == 0 }), 'copied again once more');

# ---- a daemon that is paused, and one that is killed

$t->run_ok('pause');
compare(0, 'paused');
$t->source_sql('UPDATE late SET id = -1 WHERE id = 1');
like(compare(1, 'paused, and behind'), qr/^not compared +public\.late: the daemon is paused, and the source has changed 2 of its rows since; let it go on by "sluice resume", and compare again$/m, 'what waits is no difference');
is($t->source_sql("SELECT count(*) FROM pg_replication_slots"), 1, 'the copy of its slot is gone');
$t->run_ok('resume');
$t->wait_applied_ok;
compare(0, 'resumed');
$t->kill9;
compare(0, 'killed');

# ---- interrupted while it waits for a transaction at the source

$t->start;
$t->wait_applied_ok;
my $open = SluiceTest::hold($t->source_conninfo, 'UPDATE late SET id = 5000 WHERE id = 2');
my $slots = q{SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'sluice_compare%'};
my $stopped = IPC::Run::start([ $t->program, 'compare', '-c', $t->{config} ], '>', \my $nothing, '2>', \my $why);
ok(SluiceTest::poll(sub { $t->source_sql($slots) == 1 }), 'it makes its slot');
$stopped->signal('INT');
$stopped->finish;
is($stopped->full_result(0) >> 8, 1, 'interrupted it fails');
like($why, qr/^sluice: stopped before the comparison was done$/m, 'and says so');
ok(SluiceTest::poll(sub { $t->source_sql($slots) == 0 }), 'its slot does not wait for the transaction');
SluiceTest::release($open);

# ---- a partition with rows, attached when the source's snapshot has been taken

my $file_of_all = $t->{config};
my $held = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE kinds');
$t->configure({ %$configuration, initial_copy => { jobs => 1 } }, 'one.yaml');
my $waiting = IPC::Run::start([ $t->program, 'compare', '-c', $t->{config}, 'public.kinds', 'public.parted' ], '>', \my $compared, '2>', \my $said);
ok(SluiceTest::poll(sub { $t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'kinds'::regclass AND NOT granted") > 0 }), 'it waits for the first table');
$t->source_sql('CREATE TABLE parted_high (id int PRIMARY KEY); INSERT INTO parted_high SELECT generate_series(100, 150);
	ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (100) TO (200)');
ok(SluiceTest::poll(sub { $waiting->pump_nb; $said =~ /compared 0 of 2 tables; reading public\.kinds \(about \d+ rows\) for \d+ s$/m }), 'what it reads, and for how long');
SluiceTest::release($held);
$waiting->finish;
unlike($compared, qr/^different/m, 'rows that came with a partition are no difference') or diag($said);
$t->{config} = $file_of_all;
ok(SluiceTest::poll(sub { $t->sluice('compare', 'public.parted')->{stdout} =~ /^equal +public\.parted: 101 rows$/m }), 'once they were copied all are equal');
is($t->stop, 0, 'it stops');

# ---- a table that is truncated when the source's snapshot has been taken

$t->start;
$t->wait_applied_ok;
$held = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE kinds');
$t->configure({ %$configuration, initial_copy => { jobs => 1 } }, 'one.yaml');
$waiting = IPC::Run::start([ $t->program, 'compare', '-c', $t->{config}, 'public.kinds', 'public.emptied' ], '>', \$compared, '2>', \$said);
ok(SluiceTest::poll(sub { $t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'kinds'::regclass AND NOT granted") > 0 }), 'it waits for the first table again');
$t->source_sql(q{TRUNCATE emptied; INSERT INTO emptied (v) VALUES ('left')});
$t->wait_applied_ok;
SluiceTest::release($held);
$waiting->finish;
is($waiting->full_result(0), 0, 'truncated once it is compared at last') or diag($compared, $said);
like($compared, qr/^equal +public\.emptied: 1 rows$/m, 'with the rows of after that');
like($said, qr/comparing 1 table again that changed or caught up meanwhile/, 'at a later position');
$t->{config} = $file_of_all;
is($t->stop, 0, 'it stops again');

# ---- every kind of difference

sub differs_like
{
	my ($sql, $table, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->destination_sql($sql);
	like(compare(4, $name, $table), $pattern, $name);
}
$t->source_sql('DELETE FROM kinds; DELETE FROM twice;
	INSERT INTO kinds (id, d, t, c) VALUES (1, 0.1, NULL, NULL), (2, 0.2, NULL, NULL), (3, 1, NULL, NULL), (4, 1, NULL, NULL);
	INSERT INTO twice VALUES (1, NULL), (1, NULL), (2, NULL)');
$t->run_ok('run', '--until', 'current');
compare(0, 'few rows', 'public.kinds', 'public.twice');
differs_like('DELETE FROM kinds WHERE id = 4', 'public.kinds', qr/: 1 missing of 4 rows\n  missing  id='4'\n/, 'a missing row');
differs_like("INSERT INTO kinds (id) VALUES (9)", 'public.kinds', qr/: 1 missing, 1 extra of 4 rows\n  missing  id='4'\n  extra    id='9'\n/, 'an extra row');
differs_like('UPDATE dw.chosen SET n = -5 WHERE id = (SELECT min(id) FROM dw.chosen)', 'public.chosen',
	qr/^different +public\.chosen \(dw\.chosen\): 1 changed of \d+ rows\n  changed  id='\d+': number '\d+' → '-5'\n/, 'another name');
differs_like("UPDATE kinds SET t = '' WHERE id = 1", 'public.kinds', qr/^  changed  id='1': t NULL → ''\n/m, 'NULL and the empty string');
differs_like('UPDATE kinds SET d = 0.20000000000000004 WHERE id = 2', 'public.kinds', qr/^  changed  id='2': d '0\.2' → '0\.2000+(?:4|39)'\n/m,
	'the last digit of a float');
differs_like('INSERT INTO twice VALUES (1, NULL)', 'public.twice', qr/: 1 extra of 3 rows\n  extra    a='1', b=NULL\n/, 'one more of two equal rows');
differs_like('DELETE FROM twice WHERE a = 1', 'public.twice', qr/: 2 missing of 3 rows\n  missing  a='1', b=NULL \(2 times\)\n/, 'none of two');

my $json = decode_json(compare(4, 'JSON', 'public.kinds', '--json'));
ok(!$json->{equal}, 'JSON: not equal');
my ($table) = @{ $json->{tables} };
is_deeply([ @$table{qw(source target result missing extra changed)} ], [ 'public.kinds', 'public.kinds', 'different', 1, 1, 2 ], 'JSON: the table');
my ($changed) = grep { $_->{kind} eq 'changed' && $_->{values}[0]{source} eq '1' } @{ $table->{differences} };
is_deeply($changed->{values}, [ { column => 'id', source => '1', target => '1', key => JSON::PP::true },
	{ column => 't', source => undef, target => '', key => JSON::PP::false } ], 'JSON: a difference');

# ---- what cannot be compared

$t->fails_like([ 'compare', 'public.nothing' ], 2, qr/^sluice: no table of the task matches "public\.nothing"/, 'an unknown table');
$t->fails_like([ 'compare', 'a.b.c' ], 2, qr/^sluice: "a\.b\.c": /, 'no table at all');
$t->fails_like([ 'compare', '--limit', 'none' ], 2, qr/^sluice: --limit takes a number/, 'no number');
$t->destination_sql('DROP TABLE emptied');
like(compare(1, 'no target', 'public.emptied'), qr/^not compared +public\.emptied: its target does not exist$/m, 'and why');

# What was not compared is not equal: a column that the target lacks, nothing at all.
$t->source_sql('CREATE TABLE narrow (id int PRIMARY KEY, a int, "B" text); INSERT INTO narrow VALUES (1, 2, 3)');
$t->run_ok('run', '--until', 'current');
compare(0, 'before a column is gone', 'public.narrow');
$t->source_sql('ALTER TABLE narrow ADD COLUMN later int');
like(compare(1, 'a column that is to come', 'public.narrow'), qr/^not compared +public\.narrow: its target does not have these columns yet: later$/m, 'is no difference');
$t->run_ok('run', '--until', 'current');
compare(0, 'with it', 'public.narrow');
$t->destination_sql('ALTER TABLE narrow DROP COLUMN "B", DROP COLUMN later');
like(compare(4, 'columns that the target lacks', 'public.narrow'),
	qr/^different +public\.narrow: its target lacks these columns: "B", later; in the others all 1 rows are equal$/m, 'and which');
differs_like('UPDATE narrow SET a = 0', 'public.narrow', qr/these columns: "B", later; 1 changed of 1 rows\n  changed  id='1': a '2' → '0'\n/, 'and rows that differ');
$json = decode_json(compare(4, 'JSON', 'public.narrow', '--json'));
ok(!$json->{equal}, 'JSON: not equal');
is($json->{tables}[0]{lacking_columns}, '"B", later', 'JSON: the columns');
$t->configure({ %$configuration, schema => { changes => 'ignore' } }, 'ignore.yaml');
compare(4, 'a row that differs outweighs columns that are ignored', 'public.narrow');
$t->destination_sql('UPDATE narrow SET a = 2');
like(compare(1, 'columns that are ignored', 'public.narrow'), qr/^not compared +public\.narrow: its target lacks the columns "B", later, whose data is not replicated/m, 'and why');
$t->configure($configuration);
$t->fails_like([ 'compare', 'public.narrow' ], 4, qr/; add the columns to the targets that lack some; then "sluice table resync" copies them again\.$/i, 'the remedy');
$t->destination_sql('ALTER TABLE narrow ADD COLUMN "B" text, ADD COLUMN later int');
$t->run_ok('table', 'resync', 'public.narrow');
$t->run_ok('run', '--until', 'current');
compare(0, 'copied again it has them', 'public.narrow');
$t->configure({ tables => { include => ['nothing.*'] } }, 'nothing.yaml');
my $none = $t->fails_like([ 'compare', '--json' ], 1, qr/^sluice: no table is selected, so that nothing is compared;/, 'a selection of nothing');
is($none->{stdout}, '', 'of which nothing is said to be equal');

done_testing();
