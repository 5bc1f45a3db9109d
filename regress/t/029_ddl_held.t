#!/usr/bin/perl
# Definitions that are not followed: schema.changes stop and ignore, and what
# the destination refuses.  One table is held, the others go on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

sub target { return $t->destination_sql($_[0]); }

sub state_of
{
	my ($table) = @_;
	my ($found) = grep { $_->{source} eq $table } @{ $t->status->{tables} };
	return $found;
}

sub held_ok
{
	my ($table, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($table)->{state} eq 'held' }, "$name: the table is held");
	like(state_of($table)->{error}, $pattern, "$name: status says why");
	like($t->log, $pattern, "$name: the log, too");
}

my @names = qw(added retyped dropped renamed steady gone viewed);
$t->source_sql(join ";\n", map { "CREATE TABLE $_ (id int PRIMARY KEY, a text, b int);
	INSERT INTO $_ SELECT i, 'a' || i, i FROM generate_series(1, 20) i" } @names);
my %schema = (wal => { heartbeat => '1s' });
$t->configure({ %schema, schema => { changes => 'stop' } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';

# ---- stop
$t->start;
$t->wait_applied_ok('the program runs');
$t->source_sql(q{UPDATE added SET b = 0 WHERE id = 1; ALTER TABLE added ADD COLUMN c int DEFAULT 7; UPDATE added SET b = -1; INSERT INTO steady VALUES (100)});
held_ok('public.added', qr/ALTER TABLE "public"\."added" ADD COLUMN "c" integer/, 'stop');
$t->wait_applied_ok('the others go on');
$t->equal_ok('public.steady');
is($t->status->{phase}, 'streaming', 'the phase is that of the others');
is(target('SELECT count(*) FROM added WHERE b = -1'), 0, 'its changes are left out');
$t->source_sql('INSERT INTO added VALUES (200, NULL, NULL, 5)');
$t->wait_applied_ok('its changes are ignored');
$t->source_sql('ALTER TABLE dropped DROP COLUMN b; INSERT INTO dropped VALUES (200)');
$t->wait_applied_ok('what the target can take without goes on');
is(state_of('public.dropped')->{state}, 'streaming', 'and holds nothing');
is(target('SELECT count(*) FROM dropped WHERE id = 200 AND b IS NULL'), 1, 'with the default there');
is($t->stop, 0, 'the program ends');

my $result = $t->sluice('run', '--until', 'current');
is($result->{status}, 1, 'run --until ends with 1 while a table is held');
like($result->{stderr}, qr/public\.added is held: .*ADD COLUMN "c"[^\n]*\n\z/, 'and names it');

$t->start;
$t->wait_applied_ok('the program runs again');
target('ALTER TABLE added ADD COLUMN c int');
$t->poll_ok(sub { state_of('public.added')->{state} eq 'streaming' }, 'the table follows again once the target fits');
$t->wait_applied_ok;
$t->equal_ok('public.added');
$t->source_sql('UPDATE added SET c = id WHERE id > 5');
$t->wait_applied_ok('and goes on');
$t->equal_ok('public.added');
$t->source_sql('ALTER TABLE added ALTER b TYPE int USING b * 2');
$t->poll_ok(sub { target('SELECT count(*) FROM added WHERE b = -2') == 20 }, 'a rewrite is copied again');
$t->wait_applied_ok;
$t->equal_ok('public.added');

# Held, and renamed as well: what it needs is said as it stands.
$t->source_sql('ALTER TABLE retyped RENAME TO retitled; ALTER TABLE retitled ADD COLUMN c int; INSERT INTO retitled VALUES (100, NULL, NULL, 5)');
$t->poll_ok(sub { grep { $_->{target} eq 'public.retyped' && ($_->{error} // '') =~ /ADD COLUMN "c".* RENAME TO "retitled"/ } @{ $t->status->{tables} } }, 'renamed while it is held: both are needed');
# Another table gets its old name: status says which is which.
$t->source_sql('CREATE TABLE retyped (id int PRIMARY KEY)');
$t->poll_ok(sub { grep { $_->{source} eq 'public.retyped' && $_->{state} eq 'waiting' } @{ $t->status->{tables} } }, 'a new table under its old name waits');
my %named = map { $_->{state} => $_ } grep { $_->{source} eq 'public.retyped' } @{ $t->status->{tables} };
is($named{held}{renamed_to}, 'public.retitled', 'the held one has its present name');
is($named{waiting}{renamed_to}, undef, 'the other one has no other');
is($named{waiting}{error}, 'its target public.retyped is still that of public.retitled, which had that name', 'and says for which it waits');
like($t->sluice('status')->{stdout}, qr/^public\.retyped .* held .*it is public\.retitled now: its definition changed/m, 'the text, too');
$t->source_sql('DROP TABLE retyped');
$t->poll_ok(sub { 1 == grep { $_->{source} eq 'public.retyped' } @{ $t->status->{tables} } }, 'the new one is gone again');
target('ALTER TABLE retyped ADD COLUMN c int');
$t->poll_ok(sub { grep { $_->{target} eq 'public.retyped' && ($_->{error} // '') =~ /needs: ALTER TABLE "public"\."retyped" RENAME TO "retitled";/ } @{ $t->status->{tables} } }, 'then the name alone');
target('ALTER TABLE retyped RENAME TO retitled');
$t->poll_ok(sub { state_of('public.retitled') && state_of('public.retitled')->{state} eq 'streaming' }, 'then it follows again');
$t->equal_ok('public.retitled', wait => 1);
is($t->stop, 0, 'the program ends again');

# ---- ignore
$t->configure({ %schema, schema => { changes => 'ignore' } });
$t->start;
$t->wait_applied_ok('ignore: the program runs');
$t->source_sql(q{ALTER TABLE added ADD COLUMN d int DEFAULT 3; INSERT INTO added VALUES (300, 'x', 1, 2, 3); ALTER TABLE added DROP COLUMN c; UPDATE added SET a = 'all', d = id});
$t->source_sql(q{ALTER TABLE renamed RENAME b TO bb; INSERT INTO renamed VALUES (300, 'x', 1); UPDATE renamed SET bb = 5, a = 'all'});
$t->wait_applied_ok('ignore: goes on');
is(target(q{SELECT count(*) FROM added WHERE a = 'all'}), 22, 'with the columns both have');
is(target(q{SELECT count(*) FROM renamed WHERE a = 'all'}), 21, 'and without the renamed one');
is(target(q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'added'::regclass AND attname = 'd'}), 0, 'the target stays as it is');
is($t->stop, 0, 'ignore: the program ends');
$t->source_sql(q{UPDATE added SET a = 'again', d = 4});
$t->run_ok('run', '--until', 'current');
is(target(q{SELECT count(*) FROM added WHERE a = 'again'}), 22, 'ignore: another start goes on as well');

# ---- what the destination refuses
$t->configure({ %schema, tables => { exclude => [ 'public.renamed', 'public.added' ] } });
target(q{DELETE FROM sluice.tables WHERE source_name IN ('renamed', 'added')});
target('CREATE VIEW v AS SELECT b FROM viewed');
$t->start;
$t->wait_applied_ok('refused: the program runs');
$t->source_sql(q{ALTER TABLE viewed DROP COLUMN b; INSERT INTO viewed VALUES (50, 'x'); INSERT INTO steady VALUES (300)});
held_ok('public.viewed', qr/DROP COLUMN "b"/, 'refused');
$t->wait_applied_ok('refused: the others go on');
$t->equal_ok('public.steady');
target('DROP VIEW v; ALTER TABLE viewed DROP COLUMN b');
$t->poll_ok(sub { state_of('public.viewed')->{state} eq 'streaming' }, 'refused: the table follows again');
$t->wait_applied_ok;
$t->equal_ok('public.viewed');
target('CREATE VIEW v AS SELECT a FROM viewed');
$t->source_sql(q{BEGIN; ALTER TABLE viewed DROP COLUMN a; ALTER TABLE viewed RENAME TO seen; INSERT INTO seen VALUES (60); COMMIT});
$t->poll_ok(sub { (state_of('public.viewed')->{error} // '') =~ /^destination: cannot drop.*DROP COLUMN "a".*RENAME TO "seen"/ }, 'refused with a new name: status says what it needs');
$t->wait_applied_ok('refused with a new name: the others go on');
is(target(q{SELECT string_agg(source_name, ',') FROM sluice.tables WHERE source_name IN ('viewed', 'seen')}), 'viewed', 'refused with a new name: it is known by the old one alone');
target('DROP VIEW v; ALTER TABLE viewed DROP COLUMN a');
$t->poll_ok(sub { state_of('public.seen') && state_of('public.seen')->{state} eq 'streaming' }, 'refused with a new name: what is left is done');
$t->equal_ok('public.seen', wait => 1);

# ---- a table that the configuration speaks of by its old name
is($t->stop, 0, 'renamed: the program ends');
$t->source_sql('CREATE TABLE mapped (id int PRIMARY KEY, a text, secret text); INSERT INTO mapped VALUES (1, \'x\', \'y\')');
my %rest = (exclude => [ 'public.renamed', 'public.added' ]);
my $override = { target => 'public.mapped_here', columns => [ 'id', 'a' ] };
$t->configure({ %schema, tables => { %rest, overrides => [ { %$override, source => 'public.mapped' } ] } });
$t->start;
$t->equal_ok('public.mapped', target => 'public.mapped_here', columns => [ 'id', 'a' ], wait => 1);
$t->source_sql(q{ALTER TABLE mapped RENAME TO unmapped; INSERT INTO unmapped VALUES (2, 'x', 'y')});
held_ok('public.mapped', qr/renamed/, 'renamed, with an override');
is($t->stop, 0, 'renamed, with an override: the program ends');
is($t->sluice('run', '--until', 'current')->{status}, 1, 'renamed, with an override: stays held');
is(target(q{SELECT count(*) FROM pg_class WHERE relname = 'unmapped'}), 0, 'renamed, with an override: nothing is made');
$t->configure({ %schema, tables => { %rest, overrides => [ { %$override, source => 'public.unmapped' } ] } });
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.unmapped', target => 'public.mapped_here', columns => [ 'id', 'a' ]);
$t->start;
$t->wait_applied_ok('renamed, with an override: goes on');

# ---- tables that come and go
$t->source_sql(q{CREATE TABLE born (id int PRIMARY KEY, a text); INSERT INTO born VALUES (1, 'x')});
$t->wait_applied_ok('a table is made');
$t->equal_ok('public.born', wait => 1);
$t->source_sql('CREATE TABLE empty (id int PRIMARY KEY)');
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_class WHERE relname = 'empty'}) }, 'a table without a row as well');
is($t->stop, 0, 'the program ends at last');

# ---- a target that lacks columns when its table comes to the task
sub lacking
{
	my ($changes, $copy) = @_;
	$t->configure({ task => "lacking_$changes", tables => { include => ['public.lacking'] }, schema => { changes => $changes, create => 'false' }, initial_copy => $copy // { mode => 'full' } });
}
$t->source_sql(q{CREATE TABLE lacking (id int PRIMARY KEY, a text, n int NOT NULL DEFAULT 7, "at" date); INSERT INTO lacking VALUES (1, 'x', 1, '2024-01-01')});
target('CREATE TABLE lacking (id int PRIMARY KEY, a text)');
lacking('stop');
$t->fails_like([ 'run', '--until', 'current' ], 3, qr/lacks columns of public\.lacking: ALTER TABLE "public"\."lacking" ADD COLUMN "n" integer, ADD COLUMN "at" date/, 'lacking, stop');
lacking('ignore');
like($t->run_ok('check')->{stdout}, qr/^warning +columns +public\.lacking: .*whose data is not replicated.*: n integer, at date$/m, 'lacking, ignore: a warning');
$t->run_ok('run', '--until', 'current');
$t->source_sql(q{UPDATE lacking SET a = 'y', n = 2});
$t->run_ok('run', '--until', 'current');
is(target('SELECT * FROM lacking'), '1|y', 'lacking, ignore: goes on with the columns both have');
$t->run_ok('drop');
lacking('follow', { existing => 'append' });
target('UPDATE lacking SET id = 2');
like($t->run_ok('check')->{stdout}, qr/^warning +columns +public\.lacking: .*which run will add: n integer, at date; rows that are there/m, 'lacking, follow, append: a warning');
$t->source_sql('ALTER TABLE lacking ADD COLUMN stored int DEFAULT 8; ALTER TABLE lacking ALTER stored SET DEFAULT 9');
is(scalar(() = $t->run_ok('schema')->{stdout} =~ /^ALTER TABLE "public"\."lacking" ADD COLUMN .*;$/mg), 3, 'lacking, follow: schema says so');
$t->run_ok('run', '--until', 'current');
is(target('SELECT id, n, "at", stored FROM lacking ORDER BY id'), "1|2|2024-01-01|8\n2|||8", 'lacking, follow: the columns are added; rows that are there get what the source has stored');
is(target('INSERT INTO lacking (id) VALUES (3) RETURNING n, stored'), '7|9', 'and later ones the defaults');
$t->source_sql('ALTER TABLE lacking DROP COLUMN stored');
$t->run_ok('drop');
target('DROP TABLE lacking; CREATE TABLE lacking (id int PRIMARY KEY)');
lacking('follow');
like($t->run_ok('check')->{stdout}, qr/^ok +columns +public\.lacking: .*which run will add: a text, n integer, at date$/m, 'lacking, follow: no warning for an empty target');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.lacking');
is(target(q{SELECT attnotnull FROM pg_attribute WHERE attrelid = 'lacking'::regclass AND attname = 'n'}), 't', 'lacking, follow: with NOT NULL');
$t->run_ok('drop');
target('DROP TABLE lacking; CREATE TABLE lacking (id int PRIMARY KEY, a text); INSERT INTO lacking VALUES (7)');
$t->source_sql('ALTER TABLE lacking ALTER n DROP DEFAULT');
lacking('follow', { existing => 'clear' });
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.lacking');

done_testing();
