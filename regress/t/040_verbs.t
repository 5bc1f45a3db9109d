#!/usr/bin/perl
# The command line, and the short verbs: schema, status, drop.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $program = $t->program;

sub says
{
	my ($arguments, $status, $stdout, $stderr, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = SluiceTest::command([ $program, @$arguments ], {});
	is($result->{status}, $status, "$name: exit status");
	like($result->{stdout}, $stdout, "$name: standard output");
	like($result->{stderr}, $stderr, "$name: standard error");
}

subtest 'usage' => sub {
	my ($nothing, $hint) = (qr/\A\z/, qr/; try "sluice --help"\.\n\z/);
	says(['--help'], 0, qr/^Usage:.*^  sluice check +-c FILE.*^  sluice drop /ms, $nothing, 'help');
	says(['--version'], 0, qr/\Asluice \d+\.\d+\.\d+\n\z/, $nothing, 'version');
	says([ $_, '--help' ], 0, qr/\Asluice $_: .*^Usage: sluice $_ .*^Options:.*--help/ms, $nothing, "help of $_")
	  for qw(check schema run status list compare decode drop);
	says([], 2, $nothing, qr/\Asluice: no verb given$hint/, 'no verb');
	says([ 'help', 'run' ], 0, qr/\Asluice run: /, $nothing, 'help with a verb');
	says(['help'], 0, qr/^Usage:/m, $nothing, 'help as a verb');
	says([ 'help', 'frobnicate' ], 2, $nothing, qr/\Asluice: unknown verb "frobnicate"$hint/, 'help with no verb');
	says(['tun'], 2, $nothing, qr/\Asluice: unknown verb "tun"; did you mean "sluice run"\?\n\z/, 'a mistyped verb');
	says(['frobnicate'], 2, $nothing, qr/\Asluice: unknown verb "frobnicate"$hint/, 'an unknown verb');
	says([ 'status', '-c', 'x', '--jsn' ], 2, $nothing, qr/option "--jsn"; did you mean "--json"\?\n\z/, 'a mistyped option');
	says(['--verbose'], 2, $nothing, qr/\Asluice: unknown option "--verbose"$hint/, 'an unknown option');
	my $run_hint = qr/; try "sluice run --help"\.\n\z/;
	says(['run'], 2, $nothing, qr/run needs a configuration file: -c FILE$run_hint/, 'no configuration');
	says([ 'run', '-c' ], 2, $nothing, qr/no argument for "-c"$run_hint/, 'no file');
	says([ 'run', '-c', 'x', '--json' ], 2, $nothing, qr/option "--json"$run_hint/, 'an option of another verb');
	says([ 'run', '-c', 'x', 'y' ], 2, $nothing, qr/run does not take the argument "y"$run_hint/, 'an argument');
	says([ 'run', '-c', 'x', '--until', 'noon' ], 2, $nothing, qr/--until takes .* not "noon"$run_hint/, 'no position');
	says([ 'check', '-c', "$t->{directory}/none.yaml" ], 2, $nothing, qr/none\.yaml": No such file/, 'no such file');
};

# Two tables, one of them with a name that JSON and SQL must quote.
$t->source_sql(q{
	CREATE TABLE plain (id int PRIMARY KEY, v text);
	CREATE TABLE "Mixed ""Case\ é" (id int PRIMARY KEY);
	INSERT INTO plain SELECT i, 'row ' || i FROM generate_series(1, 123) i;
});
$t->configure({ tables => { include => ['public.*'], overrides => [ { source => 'public.plain', target => 'dw.ods_plain' } ] } });

sub status_json
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $t->run_ok('status', '--json');
	is($result->{stdout} =~ tr/\n//, 1, "$name: one line");
	my $status = decode_json($result->{stdout});
	for my $field (qw(task phase applied_lsn lag_bytes lag_seconds retained_wal_bytes last_error tables))
	{
		ok(exists $status->{$field}, "$name: has $field");
	}
	return $status;
}

sub table_of
{
	my ($status, $source) = @_;
	my ($table) = grep { $_->{source} eq $source } @{ $status->{tables} };
	return $table;
}

subtest 'before the first run' => sub {
	my $status = status_json('not begun');
	is($status->{task}, 'test', 'task');
	is($status->{phase}, 'new', 'phase');
	is($status->{applied_lsn}, undef, 'no position');
	is(table_of($status, 'public.plain')->{state}, 'waiting', 'the table waits');
	is(table_of($status, 'public.plain')->{target}, 'dw.ods_plain', 'with its target');
	ok(table_of($status, qq(public."Mixed ""Case\\ \x{e9}")), 'a name that needs quotes');

	my $ddl = $t->run_ok('schema')->{stdout};
	like($ddl, qr/CREATE SCHEMA .*"dw";/, 'schema prints the schema');
	like($ddl, qr/CREATE TABLE "dw"\."ods_plain" \(/, 'and the table');
	is($t->destination_sql("SELECT count(*) FROM pg_namespace WHERE nspname IN ('dw', 'sluice')"), '0', 'and makes neither');
	$t->destination_sql($ddl);
	is($t->destination_sql('SELECT count(*) FROM dw.ods_plain'), '0', 'what it prints works');
	is($t->run_ok('schema')->{stdout}, '', 'and then there is nothing left to print');

	like($t->run_ok('drop')->{stdout}, qr/there is none.*there is no state/s, 'nothing to drop');
};

subtest 'after a run' => sub {
	$t->run_ok('run', '--until', 'current');
	$t->equal_ok('public.plain', target => 'dw.ods_plain');
	my $status = status_json('stopped');
	is($status->{phase}, 'stopped', 'phase');
	is($status->{applied_lsn}, $t->destination_sql('SELECT applied_lsn FROM sluice.progress'), 'position');
	cmp_ok($status->{lag_bytes}, '>=', 0, 'lag in bytes');
	cmp_ok($status->{retained_wal_bytes}, '>=', 0, 'retained WAL');
	is($status->{last_error}, undef, 'no error');
	my $table = table_of($status, 'public.plain');
	my %expected =
	  (source => 'public.plain', target => 'dw.ods_plain', state => 'streaming', rows_copied => 123, error => undef);
	is($table->{$_}, $expected{$_}, "the table: $_") for sort keys %expected;
	$t->source_sql('INSERT INTO plain SELECT i FROM generate_series(1001, 2000) i');
	cmp_ok(status_json('behind')->{lag_bytes}, '>', 10000, 'the lag grows while the daemon rests');

	my $text = $t->run_ok('status')->{stdout};
	like($text, qr/^task +test\nphase +stopped\napplied LSN +\S+\nlag +.*\nretained WAL +.*\nlast error +none\n/, 'the text');
	like($text, qr/^public\.plain +dw\.ods_plain +streaming +123 *$/m, 'its table');
};

subtest 'while the daemon runs' => sub {
	$t->start;
	$t->wait_applied_ok;
	is(status_json('running')->{phase}, 'streaming', 'phase');
	cmp_ok(status_json('running')->{lag_seconds}, '<', 60, 'lag in seconds');
	$t->fails_like([ 'run' ], 1, qr/^sluice: another sluice daemon runs task "test"/, 'a second daemon');
	$t->fails_like([ 'drop' ], 1, qr/^sluice: another sluice daemon runs task "test"/, 'drop');
	ok($t->running, 'the first daemon is not disturbed');
	$t->source_sql(q{UPDATE plain SET v = 'changed' WHERE id < 10});
	$t->wait_applied_ok('and goes on');
	$t->equal_ok('public.plain', target => 'dw.ods_plain');

	my $watch = IPC::Run::start([ $program, 'status', '-c', $t->{config}, '--watch' ], '>', \my $out, '2>', \my $err);
	ok(SluiceTest::poll(sub { $watch->pump_nb; my $shown = () = $out =~ /phase +streaming/g; $shown >= 2 }),
		'--watch shows it again and again');
	$watch->signal('INT');
	ok($watch->finish, 'until SIGINT') or diag("$? $err");

	$t->kill9;
	SluiceTest::poll(sub { $t->source_sql('SELECT active FROM pg_replication_slots') eq 'f' });
	is(status_json('killed')->{phase}, 'stopped', 'a daemon that was killed is not shown as running');
};

subtest 'a failure is kept' => sub {
	$t->source_sql('ALTER TABLE plain REPLICA IDENTITY NOTHING');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.plain is held: .*identity/, 'run fails');
	my $status = status_json('failed');
	is($status->{phase}, 'failed', 'phase');
	like($status->{last_error}, qr/public\.plain/, 'last_error names the table');
	like($t->run_ok('status')->{stdout}, qr/^phase +failed\n.*^last error .*public\.plain/ms, 'the text, too');
	$t->source_sql('ALTER TABLE plain REPLICA IDENTITY DEFAULT');
	$t->run_ok('run', '--until', 'current');
	is(status_json('fixed')->{last_error}, undef, 'and forgotten when it is fixed');
};

subtest 'list' => sub {
	my $folder = $t->directory . '/tasks';
	mkdir $folder;
	says([ 'list', $folder ], 2, qr/\A\z/, qr/holds no configuration: no file's name ends with \.yaml/, 'an empty directory');
	says([ 'list', "$folder/none" ], 2, qr/\A\z/, qr/cannot read the directory .*none: No such file/, 'no directory');
	system("cp '$t->{config}' '$folder/b.yaml'");
	says([ 'list', $folder ], 0, qr/\Atask  phase .*lag .*tables  error\ntest  stopped, for \d+ s  0 B, 0\.0 s  2       \n\z/, qr/\A\z/, 'one task');
	open my $file, '>', "$folder/a.yaml" or die;
	print $file "task: a\nsource: {conninfo: [}\n";
	close $file;
	open $file, '>', "$folder/ignored.yaml~" or die;
	close $file;
	open $file, '>', "$folder/c.yaml" or die;
	print $file "task: c\nsource: {conninfo: 'host=127.0.0.1 port=1'}\ndestination: {conninfo: 'host=127.0.0.1 port=1'}\ntables: {include: ['*.*']}\n";
	close $file;
	says([ 'list', $folder ], 1,
		qr/^a     wrong configuration .*a\.yaml:2.*^test  stopped.*^c     unknown .*cannot connect to the destination/ms,
		qr/2 of 3 tasks need attention/, 'tasks that are broken');
	my $json = SluiceTest::command([ $program, 'list', $folder, '--json' ], {});
	my @lines = map { decode_json($_) } split /\n/, $json->{stdout};
	is_deeply([ map { $_->{file} } @lines ], [ map { "$folder/$_.yaml" } qw(a b c) ], 'as JSON: the files');
	like($lines[0]{error}, qr/a\.yaml:2/, 'an error');
	is($lines[0]{status}, undef, 'without a status');
	is($lines[1]{error}, undef, 'no error');
	is($lines[1]{status}{task}, 'test', 'with the status');
};

subtest 'without the source' => sub {
	$t->source->stop('fast');
	my $status = status_json('no source');
	is($status->{phase}, 'stopped', 'phase');
	ok($status->{applied_lsn}, 'position');
	is($status->{$_}, undef, "$_ is not known") for qw(lag_bytes lag_seconds retained_wal_bytes wal_status oldest_transaction);
	like($status->{source_error}, qr/cannot connect to the source/, 'says why');
	is(table_of($status, 'public.plain')->{rows_copied}, 1123, 'the tables are known');
	like($t->run_ok('status')->{stdout}, qr/^source +not reached: cannot connect/m, 'the text says so');

	$t->fails_like([ 'drop' ], 1, qr/cannot connect to the source.*; with --force, drop goes on without it/i, 'drop');
	is($t->destination_sql('SELECT count(*) FROM sluice.progress'), '1', 'the state is still there');
	my $result = $t->run_ok('drop', '--force');
	like($result->{stderr}, qr/cannot connect to the source.*must be dropped there by hand/, 'drop --force says what stays');
	is($t->destination_sql('SELECT count(*) FROM sluice.progress'), '0', 'the state is gone');
	$t->source->start;
};

subtest 'drop' => sub {
	like($t->run_ok('drop')->{stdout}, qr/slot sluice_test: dropped/, 'the slot that stayed');
	is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), '0', 'is gone');
	cmp_ok($t->destination_sql('SELECT count(*) FROM dw.ods_plain'), '>', 0, 'the data stays');

	$t->source_sql(q{SELECT pg_create_logical_replication_slot('sluice_test', 'test_decoding')});
	like($t->run_ok('drop')->{stdout}, qr/slot sluice_test: left alone/, "somebody else's slot is left alone");
	is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), '1', 'is still there');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});
};

done_testing();
