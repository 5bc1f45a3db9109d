#!/usr/bin/perl
# The schema sluice of the destination has a version: what version 0.1.0 left there is brought to the present layout
# and read as it was meant, a layout of a later version is refused, and a loader who does not own the tables is told
# the statements.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my @names = qw(plain stopped refused parts background behind again first doubled gone);

for my $name (@names)
{
	$t->both_sql("CREATE TABLE $name (id int PRIMARY KEY, v text)");
	$t->source_sql("INSERT INTO $name SELECT i, 'row ' || i FROM generate_series(1, 10) i");
}
# The rows that 0.1.0 had brought; and some of a copy in parts, of one that was void, of one that was to be made again.
for my $name (qw(plain stopped refused behind doubled gone))
{
	$t->destination_sql("INSERT INTO $name SELECT i, 'row ' || i FROM generate_series(1, 10) i");
}
$t->destination_sql("INSERT INTO $_ SELECT i, 'not to be kept' FROM generate_series(5, 15) i") for qw(parts background again);

my $fixture = SluiceTest::_slurp("$FindBin::RealBin/../data/state-0.1.0.sql");
for my $name (@names)
{
	my ($oid, $xmin) = split /\|/, $t->source_sql(
		"SELECT '$name'::regclass::oid, xmin FROM pg_attribute WHERE attrelid = '$name'::regclass AND attnum = 1");
	$fixture =~ s/\b$name:oid/$oid/g;
	$fixture =~ s/\b$name:xmin/$xmin/g;
}
my $system = $t->source_sql('SELECT system_identifier FROM pg_control_system()');
my $lsn = $t->source_sql("SELECT lsn FROM pg_create_logical_replication_slot('sluice_test', 'sluice')");
$fixture =~ s/:system/$system/g;
$fixture =~ s/':lsn'/'$lsn'/g;

# What is there, and its constraints.
sub layout
{
	my ($conninfo) = @_;
	return SluiceTest::psql($conninfo, q{
		SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'sluice') AND c.relkind = 'r'
		UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), true FROM pg_constraint
			WHERE connamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'sluice') AND contype IN ('p', 'u')
		ORDER BY 1, 2});
}

my $states = q{SELECT string_agg(source_name || ' ' || state, ', ' ORDER BY source_name) FROM sluice.tables};

$t->configure({ schema => { changes => 'stop' } });

# What the program would make where there is nothing.
my ($fresh) = $t->run_ok('schema')->{stdout} =~ /\A(CREATE SCHEMA sluice;.*?INSERT INTO sluice\.layout[^\n]*\n)/s;
$t->destination_sql($fresh);
my $made = layout($t->destination_conninfo);
like($made, qr/^tables\|target_oid\|bigint/m, 'the statements for a new schema have all columns');
$t->destination_sql('DROP SCHEMA sluice CASCADE');

# ---- what version 0.1.0 left

$t->destination_sql($fixture);
# Some trouble with names left two rows of one table; and one target was dropped since.
$t->destination_sql(q{INSERT INTO sluice.tables SELECT task, source_schema, 'former', source_oid, target_schema, target_name,
	state, snapshot_lsn, rows_copied, error, rebuild, definition, selection FROM sluice.tables WHERE source_name = 'doubled';
	DROP TABLE gone});
$t->source_sql(q{INSERT INTO stopped VALUES (11, 'before'); ALTER TABLE stopped ADD COLUMN w int; INSERT INTO stopped VALUES (12, 'after', 1)});
is(scalar(@{ $t->status->{tables} }), @names + 1, 'status reads it as it is');
my $check = $t->sluice('check');
unlike($check->{stderr}, qr/column|layout/, 'so does check');
is($t->destination_sql(q{SELECT count(*) FROM pg_class WHERE relname = 'layout'}), 0, 'and changes nothing');

$t->source_sql(qq{INSERT INTO $_ VALUES (21, 'new')}) for @names;

# What is more than columns disturbs the daemons of other tasks: any lock of the class that tasks are locked by is one.
my $other = SluiceTest::hold($t->destination_conninfo, 'SELECT pg_advisory_lock(1936487785, 1)');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/has to be brought from layout 1 to \d+, and the daemon of another task works with it: process \d+ of the destination; stop the daemons of all tasks/, 'while another task has a daemon');
is($t->destination_sql(q{SELECT count(*) FROM pg_class WHERE relname = 'layout'}), 0, 'nothing is changed');
SluiceTest::release($other);
my $run = $t->sluice('run', '--until', 'current');
is($run->{status}, 1, 'tables that were held still are');
like($run->{stderr}, qr/info +the schema sluice of the destination was brought from layout 1 to \d+/, 'the layout is a later one');
like($run->{stderr}, qr/copied public\.$_: 11 rows/, "$_ is copied") for qw(parts background again first doubled gone);
unlike($run->{stderr}, qr/copied public\.$_:/, "$_ is not") for qw(plain stopped refused behind);
is($t->destination_sql(q{SELECT string_agg(source_name, ',' ORDER BY source_name) FROM sluice.tables WHERE state LIKE 'held%'}),
	'refused,stopped', 'those that were held');
$t->equal_ok("public.$_") for qw(plain parts background behind again first doubled gone);
is($t->destination_sql('SELECT max(id) FROM refused'), 10, 'a held table is as it was');
is(layout($t->destination_conninfo), $made, 'the schema is as it would be made');

$t->destination_sql('ALTER TABLE stopped ADD COLUMN w int');
$t->run_ok('table', 'resync', 'public.refused');
$t->run_ok('run', '--until', 'current');
$t->equal_ok("public.$_") for qw(stopped refused);

# ---- a later version

$t->destination_sql('UPDATE sluice.layout SET version = 99');
$t->fails_like([ $_ ], 1, qr/has layout 99, made by a later version of sluice; this program knows layouts up to \d+/, "$_ with a later layout")
  for qw(status check run compare drop);
$t->destination_sql('DROP SCHEMA sluice CASCADE');

# ---- a loader who does not own it

SKIP: {
	skip 'roles are the owner\'s', 5 if SluiceTest::destination_is_external();
	$t->destination_sql($fixture);
	$t->destination_sql(q{CREATE ROLE loader LOGIN; GRANT USAGE ON SCHEMA sluice, public TO loader;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA sluice, public TO loader;
		GRANT TRUNCATE ON ALL TABLES IN SCHEMA public TO loader});
	$t->configure({ destination => { conninfo => $t->destination_conninfo =~ s/user=postgres/user=loader/r } });
	my $failed = $t->fails_like([ 'run', '--until', 'current' ], 1, qr/needs another layout: .*; its owner carries out the statements/, 'a loader who does not own it');
	my ($statements) = $failed->{stderr} =~ /has to carry out: (.*;)$/m;
	like($statements, qr/ALTER TABLE sluice\.tables ADD COLUMN target_oid bigint/m, 'gets the statements');
	$t->destination_sql($statements);
	is(layout($t->destination_conninfo), $made, 'which are all that it needs');
	unlike($t->sluice('run', '--until', 'current')->{stderr}, qr/layout/, 'then it runs');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});
}

done_testing();
