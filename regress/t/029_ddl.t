#!/usr/bin/perl
# Definitions that change at the source: the run stops before the first row
# that the target cannot take, says what it needs, and goes on once it has it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;

sub target { return $t->destination_sql($_[0]); }

my @names = qw(added dropped renamed retyped narrowed swapped moved steady downtime);
$t->source_sql(join ";\n", map { "CREATE TABLE $_ (id int PRIMARY KEY, a text, b int, at timestamp);
	INSERT INTO $_ SELECT i, 'a' || i, i, '2024-01-01' FROM generate_series(1, 20) i" } @names);
my @tables = map { "public.$_" } @names;
$t->configure;
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);

# The source changes while the program runs; it stops with a message.  With
# the target changed as well it goes on.
sub stops
{
	my ($name, $before, $pattern, $remedy, $once) = @_;
	my $steady = 'INSERT INTO steady SELECT max(id) + 1 FROM steady';
	$t->start;
	$t->wait_applied_ok("$name: running");
	$t->source_sql("$steady; $before; $steady");
	is($t->wait_for_end, 1, "$name: the run stops");
	my ($last) = $t->log =~ /([^\n]*)\n\z/;
	like($last, qr/^sluice: $pattern/, "$name: and says why");
	my $status = $t->status;
	is($status->{phase}, 'failed', "$name: status says so");
	like($status->{last_error}, qr/$pattern/, "$name: with the reason");
	isnt($t->sluice('run', '--until', 'current')->{status}, 0, "$name: the next start, too") unless $once;
	target($remedy);
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
}

# The source changes, and nothing stops.
sub goes_on
{
	my ($name, $sql) = @_;
	$t->start;
	$t->wait_applied_ok("$name: running");
	$t->source_sql($sql);
	$t->wait_applied_ok("$name: goes on");
	is($t->stop, 0, "$name: stops by itself alone");
	$t->all_equal_ok(@tables);
}

stops('ADD COLUMN', q{
	UPDATE added SET b = -b; ALTER TABLE added ADD COLUMN "more Data" numeric(5,1), ADD COLUMN c int DEFAULT 7;
	INSERT INTO added VALUES (100, 'x', 1, NULL, 2.5, 3); UPDATE added SET c = 8 WHERE id = 2},
	qr/.*"more Data" of public\.added .*public\.added.*ADD COLUMN/, 'ALTER TABLE added ADD COLUMN c int DEFAULT 7, ADD COLUMN "more Data" numeric(5,1)');
stops('ADD COLUMN within a transaction', q{
	BEGIN; INSERT INTO added (id, a) VALUES (200, 'before'); ALTER TABLE added ADD COLUMN d text; INSERT INTO added (id, d) VALUES (201, 'after'); UPDATE added SET d = 'both' WHERE id = 200; COMMIT},
	qr/.*"d" of public\.added/, 'ALTER TABLE added ADD COLUMN d text');
stops('RENAME COLUMN', q{
	UPDATE renamed SET b = -b; ALTER TABLE renamed RENAME b TO "B b"; UPDATE renamed SET "B b" = 5 WHERE id = 1; DELETE FROM renamed WHERE id = 2},
	qr/.*"B b" of public\.renamed/, 'ALTER TABLE renamed RENAME b TO "B b"');
stops('RENAME of a key column', q{
	ALTER TABLE renamed RENAME id TO key; UPDATE renamed SET key = 500 WHERE key = 5; DELETE FROM renamed WHERE key = 6},
	qr/.*"key" of public\.renamed/, 'ALTER TABLE renamed RENAME id TO key');
stops('a wider type', q{
	UPDATE retyped SET b = -b; ALTER TABLE retyped ALTER b TYPE bigint; UPDATE retyped SET b = 5000000000 WHERE id = 1; INSERT INTO retyped VALUES (100, NULL, 1)},
	qr/.*public\.retyped/, 'ALTER TABLE retyped ALTER b TYPE bigint');
stops('another type of the same length', q{
	SET timezone = 'UTC'; UPDATE retyped SET at = '2024-05-05'; ALTER TABLE retyped ALTER at TYPE bigint USING extract(epoch FROM at)::bigint; INSERT INTO retyped VALUES (101, NULL, 1, 5); UPDATE retyped SET at = 5 WHERE id < 30},
	qr/.*public\.retyped/, 'ALTER TABLE retyped ALTER at TYPE bigint USING extract(epoch FROM at)::bigint');

goes_on('DROP COLUMN', q{ALTER TABLE dropped DROP COLUMN b; UPDATE dropped SET a = 'x' WHERE id < 5; DELETE FROM dropped WHERE id = 7; INSERT INTO dropped VALUES (100, 'y')});
is(target('SELECT count(*) FROM dropped WHERE id < 5 AND b = id'), 4, 'the target keeps what it had there');
is(target('SELECT count(*) FROM dropped WHERE id = 100 AND b IS NULL'), 1, 'and has its default from then on');
# Both sides look alike again: only the run that sees it happen can tell.
stops('DROP and ADD of the same name', q{UPDATE swapped SET b = 5; ALTER TABLE swapped DROP COLUMN b; ALTER TABLE swapped ADD COLUMN b int; UPDATE swapped SET b = 1000 + id WHERE id > 5},
	qr/.*"b" of public\.swapped was dropped and made anew/, 'ALTER TABLE swapped DROP COLUMN b; ALTER TABLE swapped ADD COLUMN b int', 1);
goes_on('CREATE INDEX, NOT NULL, CHECK, DEFAULT, comments, statistics', q{
	CREATE INDEX ON steady (a); ALTER TABLE steady ALTER a SET DEFAULT 'd', ADD CHECK (id > 0), ALTER b SET STATISTICS 10; COMMENT ON TABLE steady IS 'x'; INSERT INTO steady (id) VALUES (5000); ANALYZE steady});
goes_on('other lengths', q{ALTER TABLE moved ALTER a TYPE varchar(100); UPDATE moved SET a = a || '!' WHERE id > 10; ALTER TABLE moved ALTER a TYPE text; UPDATE moved SET a = repeat(a, 100) WHERE id > 15});

# While it is down, definitions change, and rows before and after.
$t->source_sql(q{
	UPDATE downtime SET b = -b; ALTER TABLE downtime ADD COLUMN c int; UPDATE downtime SET c = id; INSERT INTO downtime (id) VALUES (100);
	UPDATE narrowed SET b = 7; ALTER TABLE narrowed ALTER b TYPE bigint; UPDATE narrowed SET b = 8 WHERE id < 10; ALTER TABLE narrowed ALTER b TYPE text; UPDATE narrowed SET b = 'nine' WHERE id < 5;
	ALTER TABLE narrowed ALTER at TYPE text; UPDATE narrowed SET at = 'x' WHERE id = 1});
target('ALTER TABLE narrowed ALTER b TYPE text, ALTER at TYPE text; ALTER TABLE downtime ADD COLUMN c int');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

# A table with another name is another table.
$t->start;
$t->wait_applied_ok;
$t->source_sql(q{ALTER TABLE steady RENAME TO renamed_table; INSERT INTO renamed_table VALUES (9999)});
isnt($t->wait_for_end, 0, 'a table that is renamed stops the run');
like($t->log, qr/public\.steady/, 'by its name');
target("ALTER TABLE steady RENAME TO renamed_table; UPDATE sluice.tables SET source_name = 'renamed_table', target_name = 'renamed_table' WHERE source_name = 'steady'");
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.renamed_table');

done_testing();
