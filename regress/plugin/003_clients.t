#!/usr/bin/perl
# What pg_recvlogical receives: both formats say the same, transactions that
# overlap with DDL of others come with the right descriptions, and a stream
# goes on through DDL.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0, source => { conf => "
	logical_decoding_work_mem = 64kB
	max_prepared_transactions = 5
" });
my $directory = $t->directory;

sub create_slots
{
	$t->source_sql("SELECT pg_create_logical_replication_slot('$_', 'sluice')") for @_;
}

sub read_file
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file> // '';
}

# Everything up to now as pg_recvlogical writes it to a file, whose name is returned.
sub receive
{
	my ($slot, @options) = @_;
	my $file = "$directory/$slot." . time . rand;
	my $end = $t->source_sql('SELECT pg_current_wal_lsn()');
	my $result = SluiceTest::command([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', $slot, '--start',
		'--no-loop', '--endpos', $end, '-f', $file, map { ('-o', $_) } @options ]);
	is($result->{status}, 0, "pg_recvlogical reads $slot") or diag($result->{stderr});
	return $file;
}

sub decode
{
	my ($file) = @_;
	my $result = SluiceTest::command([ $t->program, 'decode', $file ]);
	is($result->{status}, 0, 'sluice decode reads it') or diag($result->{stderr});
	return $result->{stdout};
}

# The text form, checked against the binary one; without what differs from run to run.
sub both
{
	my ($name) = @_;
	my $text = read_file(receive('text', 'format=text', 'messages=on'));
	ok($text eq decode(receive('binary', 'format=binary', 'messages=on')), "$name: the binary capture is decoded to the same lines");
	return join '', map { "$_\n" } grep { !/^(startup|BEGIN|COMMIT)/ }
	  map { s/ oid: .*//r } split /\n/, $text;
}

# ---- both formats

create_slots(qw(text binary));
$t->source_sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE wide (id bigint PRIMARY KEY, a int, b text, c numeric, d timestamptz, e float8, f bytea, g jsonb, h uuid,
		i interval, j mood, k inet, l int[], m bool, n date);
	CREATE TABLE moods (id int, m mood[]);
	ALTER TABLE moods REPLICA IDENTITY FULL;
	INSERT INTO wide SELECT i, -i, 'text ' || i, i / 7.0, timestamptz '2024-01-01 00:00Z' + i * interval '1 s', i / 3.0,
		decode(md5(i::text), 'hex'), jsonb_build_object('i', i), md5(i::text)::uuid, i * interval '1 s',
		CASE i % 3 WHEN 0 THEN 'sad' WHEN 1 THEN 'happy' END::mood, inet '10.0.0.0' + i, ARRAY[i, NULL], i % 2 = 0,
		date '2024-01-01' + i FROM generate_series(1, 5000) i;
	UPDATE wide SET b = NULL, id = id + 10000 WHERE id % 100 = 0;
	DELETE FROM wide WHERE id % 3 = 0;
	INSERT INTO moods SELECT i, ARRAY['sad', NULL]::mood[] FROM generate_series(1, 10) i;
	UPDATE moods SET m = NULL WHERE id > 5;
	SELECT pg_logical_emit_message(false, 'p', 'outside'), pg_logical_emit_message(true, 'p', E'two\nlines');
	TRUNCATE moods;
	INSERT INTO wide VALUES (0);
});
my $lines = both('a bit of everything');
is(() = $lines =~ /^table public.wide: INSERT/mg, 5001, 'inserts');
is(() = $lines =~ /^table public.wide: UPDATE: old-key/mg, 50, 'updates');
is(() = $lines =~ /^table public.wide: DELETE/mg, 1667, 'deletes');

# ---- transactions that overlap

$t->source_sql(q{
	CREATE TABLE first (id int PRIMARY KEY);
	CREATE TABLE other (id int PRIMARY KEY);
	CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id);
	CREATE TABLE low PARTITION OF root FOR VALUES FROM (0) TO (100);
	CREATE TABLE high (id int PRIMARY KEY);
});
both('new tables');
my ($one, $two) = map { $t->source->background_psql('shop', on_error_die => 1) } 1 .. 2;

$one->query_safe('BEGIN; INSERT INTO first VALUES (1)');
$two->query_safe('ALTER TABLE other ADD COLUMN added text');
$one->query_safe(q{INSERT INTO other VALUES (1, 'x')});
$two->query_safe(q{BEGIN; ALTER TYPE mood RENAME TO feeling; ALTER TYPE feeling ADD VALUE 'calm'; COMMIT});
$one->query_safe(q{INSERT INTO wide (id, j) VALUES (-7, 'happy')});
$one->query_safe('COMMIT');
is(both('ALTER TABLE within another transaction') =~ s/ [a-ik-n]\[[^:]*:null//gr, <<'LINES', 'each change as its table was by then');
relation public.first: number: 1
table public.first: INSERT: id[integer]:1
relation public.other: number: 2
table public.other: INSERT: id[integer]:1 added[text]:'x'
relation public.wide: number: 3
table public.wide: INSERT: id[bigint]:-7 j[public.feeling]:'happy'
LINES

$one->query_safe('BEGIN; INSERT INTO root VALUES (1)');
$two->query_safe('ALTER TABLE root ATTACH PARTITION high FOR VALUES FROM (100) TO (200)');
$one->query_safe('INSERT INTO root VALUES (2), (101)');
$one->query_safe('COMMIT');
# Before 13.21 a transaction in progress does not hear what others have changed meanwhile.
my $announced = $t->source_sql('SHOW server_version_num') < 130021 ? '' : "relation public.root: number: 2\n";
like(both('ATTACH within another transaction'), qr/^relation public.root: number: 1
table public.root: INSERT: id\[integer\]:1
${announced}table public.root: INSERT: id\[integer\]:2
table public.root: INSERT: id\[integer\]:101
$/, 'the new leaf is announced before its rows');

$one->query_safe('BEGIN; INSERT INTO first VALUES (10)');
$two->query_safe('BEGIN; INSERT INTO first VALUES (11); SAVEPOINT a; INSERT INTO first VALUES (12)');
$one->query_safe('SAVEPOINT a; INSERT INTO first SELECT i FROM generate_series(1000, 4000) i');
$two->query_safe('ROLLBACK TO a; INSERT INTO first VALUES (13); COMMIT');
$one->query_safe('RELEASE a; DELETE FROM first WHERE id = 10; COMMIT');
$lines = both('a transaction larger than memory');
like($lines, qr/^relation public.first: number: 1
table public.first: INSERT: id\[integer\]:11
table public.first: INSERT: id\[integer\]:13
table public.first: INSERT: id\[integer\]:10
table public.first: INSERT: id\[integer\]:1000
/, 'transactions come in the order of their commits');
is(() = $lines =~ /INSERT/g, 3004, 'and whole');
$_->quit for $one, $two;

# ---- a stream that goes on

my ($stdin, $stream, $errors) = ('', '', '');
my $client = IPC::Run::start([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'text', '--start', '--no-loop',
	'-o', 'format=text', '-F', '0', '-f', '-' ], '<', \$stdin, '>', \$stream, '2>', \$errors);

sub next_lines
{
	my ($sql, $wanted, $name) = @_;
	my $before = length $stream;
	$t->source_sql($sql);
	my $seen = SluiceTest::poll(sub { $client->pump_nb; substr($stream, $before) =~ /COMMIT/ });
	my $new = join '', map { "$_\n" } grep { !/^(startup|BEGIN|COMMIT)/ } map { s/ oid: .*//r } split /\n/, substr $stream, $before;
	is($new, $wanted, $name) or diag($errors);
}
next_lines('INSERT INTO first VALUES (20)', <<'LINES', 'the first change describes its table');
relation public.first: number: 1
table public.first: INSERT: id[integer]:20
LINES
next_lines('INSERT INTO first VALUES (21)', <<'LINES', 'the next one does not');
table public.first: INSERT: id[integer]:21
LINES
next_lines('ANALYZE first; INSERT INTO first VALUES (22)', <<'LINES', 'nor does one after ANALYZE');
table public.first: INSERT: id[integer]:22
LINES
next_lines('ALTER TABLE first RENAME TO second; INSERT INTO second VALUES (23)', <<'LINES', 'a new name');
relation public.second: number: 2
table public.second: INSERT: id[integer]:23
LINES
next_lines('CREATE SCHEMA s; ALTER TABLE second SET SCHEMA s; ALTER SCHEMA s RENAME TO z; INSERT INTO z.second VALUES (24)',
	<<'LINES', 'a new name of its schema');
relation z.second: number: 3
table z.second: INSERT: id[integer]:24
LINES
next_lines('ALTER TABLE z.second DROP CONSTRAINT first_pkey; DELETE FROM z.second WHERE id = 24', <<'LINES', 'without its key');
relation z.second: number: 4
table z.second: DELETE: (no-identity)
LINES
next_lines('ALTER TABLE z.second REPLICA IDENTITY FULL; DELETE FROM z.second WHERE id = 23', <<'LINES', 'with the whole row');
relation z.second: number: 5
table z.second: DELETE: old-tuple: id[integer]:23
LINES
next_lines('DROP TABLE z.second; CREATE TABLE z.second (x int); INSERT INTO z.second VALUES (1)', <<'LINES', 'another table of its name');
relation z.second: number: 6
table z.second: INSERT: x[integer]:1
LINES
$client->signal('INT');
$client->finish;

# ---- what a client is told

my $result = SluiceTest::command([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'text', '--start', '--no-loop',
	'-o', 'formt=text', '-f', '-' ]);
isnt($result->{status}, 0, 'an unknown option ends pg_recvlogical');
like($result->{stderr}, qr/unknown option "formt" for output plugin "sluice".*Allowed are "format", "protocol"/s, 'with a list of those there are');
$result = SluiceTest::command([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'text', '--start', '--no-loop',
	'-o', 'format', '-f', '-' ]);
like($result->{stderr}, qr/option "format" of output plugin "sluice" needs a value/, 'so does one without its value');

# ---- a slot for two-phase commit, which the plugin leaves to the server

SKIP: {
	skip 'no such slots before 14', 2 if $t->source->{_pg_version} < 14;
	$t->source_sql("SELECT pg_create_logical_replication_slot('two_phase', 'sluice', false, true)");
	$t->source_sql(q{BEGIN; INSERT INTO low VALUES (50); PREPARE TRANSACTION 'p'});
	my $changes = "SELECT count(*) FROM pg_logical_slot_get_changes('two_phase', NULL, NULL, 'format', 'text')";
	is($t->source_sql($changes), 0, 'nothing at PREPARE TRANSACTION');
	$t->source_sql(q{COMMIT PREPARED 'p'});
	is($t->source_sql($changes), 5, 'everything at COMMIT PREPARED');
}

done_testing();
