#!/usr/bin/perl
# What the daemon answers over HTTP, while it streams and while both ends are
# away.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IO::Socket::INET;
use JSON::PP;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $port = PostgreSQL::Test::Cluster::get_free_port();

$t->source_sql(q{
	CREATE TABLE plain (id int PRIMARY KEY, v text);
	CREATE TABLE "quo""ted" (id int PRIMARY KEY);
	INSERT INTO plain SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
});
$t->configure({ http => { listen => "127.0.0.1:$port" }, wal => { heartbeat => '200ms' } });

sub get { return SluiceTest::http_get($port, @_); }

sub status { return decode_json((get('/status'))[1]); }

sub table_of
{
	my ($name) = @_;
	return (grep { $_->{source} eq $name } @{ status()->{tables} })[0];
}

sub metric
{
	my ($name) = @_;
	return (get('/metrics'))[1] =~ /^\Q$name\E (\S+)$/m ? $1 : undef;
}

# While tables are copied: the target of one is locked.
$t->destination_sql('CREATE TABLE plain (id int PRIMARY KEY, v text)');
my $held = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE plain IN SHARE MODE');
$t->start;
$t->poll_ok(sub { (get('/readyz'))[0] == 200 }, 'ready while it copies');
$t->poll_ok(sub { (table_of('public.plain') // {})->{state} eq 'copying' && defined table_of('public.plain')->{rows_per_second} },
	'a table that is copied, with its rate');
is(status()->{phase}, 'copying', 'the phase');
$t->poll_ok(sub { defined metric("sluice_slot_retained_bytes{task=\"$t->{task}\"}") }, 'the slot is read while a copy runs');
SluiceTest::release($held);
$t->poll_ok(sub { status()->{phase} eq 'streaming' }, 'it streams');
$t->poll_ok(sub { defined status()->{lag_bytes} }, 'the lag is known before a first batch');
is((get('/healthz'))[0], 200, 'alive');
$t->source_sql('ALTER TABLE plain ADD COLUMN added int');
$t->source_sql(q{UPDATE plain SET v = 'new' WHERE id <= 300; DELETE FROM plain WHERE id > 900; INSERT INTO plain VALUES (5000, 'x')});
$t->wait_applied_ok('changes');
$t->poll_ok(sub { (metric('sluice_table_rows_total{task="' . $t->{task} . '",table="public.plain",operation="update"}') // 0) == 300 },
	'rows by table and operation: update');

subtest 'status' => sub {
	my $status = status();
	is($status->{phase}, 'streaming', 'phase');
	is($status->{task}, $t->{task}, 'task');
	is($status->{pid}, $t->{pid}, 'pid') if $t->{pid};
	my $asked = decode_json($t->run_ok('status', '--json')->{stdout});
	is_deeply([ sort keys %$status ], [ sort keys %$asked ], 'the fields of status --json');
	my ($plain) = grep { $_->{source} eq 'public.plain' } @{ $status->{tables} };
	is($plain->{state}, 'streaming', 'state of a table');
	is($plain->{rows_copied}, 1000, 'its rows');
	is(scalar @{ $status->{tables} }, 2, 'all tables');
	like($status->{source_version}, qr/^PostgreSQL \d+\.\d+$/, 'the version of the source');
	like($status->{destination_version}, qr/PostgreSQL \d+\.\d+/, 'and of the destination');
};

subtest 'metrics' => sub {
	my (undef, $text) = get('/metrics');
	my $task = qr/task="\Q$t->{task}\E"/;
	like($text, qr/^sluice_up\{$task\} 1$/m, 'up');
	like($text, qr/^sluice_phase\{$task,phase="streaming"\} 1$/m, 'phase');
	like($text, qr/^sluice_table_rows_total\{$task,table="public\.plain",operation="delete"\} 100$/m, 'deletes');
	like($text, qr/^sluice_table_rows_total\{$task,table="public\.plain",operation="insert"\} 1$/m, 'inserts');
	like($text, qr/^sluice_table_state\{$task,table="public\.\\"quo\\"\\"ted\\"",state="streaming"\} 1$/m, 'a quoted name');
	like($text, qr/^sluice_batch_duration_seconds_count\{$task,step="commit"\} [1-9]/m, 'batches by step');
	like($text, qr/^sluice_connections_total\{$task,server="destination"\} [1-9]/m, 'sessions');
	like($text, qr/^sluice_definitions_followed_total\{$task\} 1$/m, 'definitions');
	my %conditional = map { $_ => 1 } qw(sluice_slot_safe_bytes sluice_oldest_transaction_start_timestamp_seconds
	  sluice_table_expected_rows sluice_table_dead_rows sluice_table_compared_timestamp_seconds sluice_table_compared_equal);
	my @unset = grep { !$conditional{$_} && $text !~ /^$_(?:_sum)?\{/m } $text =~ /^# TYPE (\w+)/mg;
	is_deeply(\@unset, [], 'whatever is documented is there');
	like($text, qr/^sluice_applied_commit_timestamp_seconds\{$task\} 1[0-9.]{9,}$/m, 'a time');
	SKIP: {
		skip 'no promtool', 1 unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};
		open my $tool, '|-', 'promtool check metrics' or die;
		print $tool $text;
		ok(close $tool, 'promtool finds nothing');
	}
};

subtest 'the page and the rest' => sub {
	my ($status, $body) = get('/');
	is($status, 200, 'the page');
	like($body, qr{<title>Sluice</title>.*</html>\s*\z}s, 'whole');
	unlike($body, qr{(?:src|href)\s*=\s*["']?(?:https?:)?//}, 'asks for nothing from elsewhere');
	is(ref decode_json((get('/history'))[1])->{points}, 'ARRAY', 'history');
	is((get('/none'))[0], 404, 'no such page');
	is((get('/status', 'evil.example'))[0], 403, 'another host in the Host header');
};

subtest 'recorded comparisons' => sub {
	is(table_of('public.plain')->{compared}, undef, 'none yet');
	unlike($t->run_ok('status')->{stdout}, qr/^compared/m, 'nor in status');
	$t->run_ok('compare', '--record');
	$t->poll_ok(sub { table_of('public.plain')->{compared} }, 'the daemon knows it');
	ok(table_of('public.plain')->{compared}{equal}, 'equal');
	like(table_of('public.plain')->{compared}{lsn}, qr{^[0-9A-F]+/[0-9A-F]+$}, 'as of a position');
	my $label = qq(task="$t->{task}",table="public.plain");
	is(metric("sluice_table_compared_equal{$label}"), 1, 'in the metrics');
	ok(metric("sluice_table_compared_timestamp_seconds{$label}") > 1e9, 'with its time');
	$t->destination_sql(q{UPDATE plain SET v = 'wrong' WHERE id = 400});
	$t->fails_like([ 'compare', '--record', 'public.plain' ], 4, qr/differences in 1 of 1 table/, 'a difference');
	$t->poll_ok(sub { metric("sluice_table_compared_equal{$label}") == 0 }, 'the later one counts');
	like($t->run_ok('status')->{stdout}, qr/^compared      1 equal, 1 different, 0 never$/m, 'in status');
	my ($asked) = grep { $_->{source} eq 'public.plain' } @{ $t->status->{tables} };
	ok($asked->{compared} && !$asked->{compared}{equal}, 'status --json');
	$t->destination_sql(q{UPDATE plain SET v = 'row 400' WHERE id = 400});
	is($t->run_ok('compare', 'public.plain')->{status}, 0, 'equal again, which nobody recorded');
	is(metric("sluice_table_compared_equal{$label}"), 0, 'so that it stands');
};

subtest 'for a monitoring system' => sub {
	my $line = $t->run_ok('status', '--check', '--max-lag', '1h', '--max-retained', '900GB')->{stdout};
	like($line, qr/\Aok: $t->{task} is streaming, lag [^\n]*, 2 tables\n\z/, 'all is well');
	$t->source_sql(q{SELECT pg_switch_wal(); INSERT INTO plain VALUES (5001, 'x')});
	$line = $t->fails_like([ 'status', '--check', '--max-retained', '1B' ], 1, qr/retained WAL is/, 'too much WAL')->{stdout};
	like($line, qr/\Afailed: $t->{task} is streaming, [^\n]*; retained WAL is [^\n]*\n\z/, 'one line on standard output');
	$t->fails_like([ 'status', '--max-lag', '60s' ], 2, qr/belong to --check/, 'thresholds without --check');
	$t->fails_like([ 'status', '--check', '--max-lag', 'soon' ], 2, qr/takes a time/, 'no time');
	my $check = decode_json($t->run_ok('check', '--json')->{stdout});
	ok($check->{passed} && (grep { $_->{name} eq 'table' && $_->{outcome} eq 'ok' } @{ $check->{checks} }), 'check --json');
};

$t->stop;
$t->fails_like([ 'status', '--check' ], 1, qr/the task is stopped/, 'a task that is stopped is not well');
is((get('/healthz'))[0], 0, 'nobody answers when the daemon has ended');

# Both ends away: it answers all the same.
SKIP: {
	skip 'the servers are not the test\'s own', 1 if $t->destination_is_external;
	subtest 'both ends away' => sub {
		my $shown = $t->directory . '/watched';
		my $watching = SluiceTest::_spawn([ $t->program, 'status', '-c', $t->{config}, '--watch' ], '/dev/null', $shown, $shown);
		$t->poll_ok(sub { SluiceTest::_slurp($shown) =~ /^phase /m }, 'status --watch shows it');
		$t->source->stop('immediate');
		$t->destination->stop('immediate');
		$t->poll_ok(sub { SluiceTest::_slurp($shown) =~ /^sluice: .*cannot connect/m }, 'status --watch says that it is away');
		is(waitpid($watching, 1), 0, 'and goes on');
		kill 'INT', $watching;
		is((waitpid($watching, 0), $?)[1], 0, 'until it is interrupted');
		$t->fails_like([ 'status', '--check' ], 1, qr/cannot connect/, 'status --check without a destination');
		$t->start;
		$t->poll_ok(sub { (get('/readyz'))[0] == 503 && status()->{phase} eq 'retrying' }, 'retrying');
		$t->poll_ok(sub { (status()->{waiting_for} // '') =~ /^the (?:destination|next attempt)$/ }, 'what it waits for');
		$t->poll_ok(sub { metric(qq(sluice_errors_total{task="$t->{task}",class="retry"})) > 0
			&& metric(qq(sluice_retries_total{task="$t->{task}"})) > 0 }, 'the error and the next attempt are counted');
		like((get('/readyz'))[1], qr/^retrying: cannot connect/, 'and says why');
		like(status()->{last_error}, qr/cannot connect/, 'in status, too');
		is(metric('sluice_up{task="' . $t->{task} . '"}'), 0, 'not up');
		$t->stop;
	};
}

# A port that is taken does not stop the pipe.
SKIP: {
	skip 'the servers are not the test\'s own', 1 if $t->destination_is_external;
	subtest 'a port that is taken' => sub {
		$t->source->start;
		$t->destination->start;
		my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1) or die;
		$t->source_sql('INSERT INTO plain VALUES (6000, NULL)');
		$t->start;
		$t->wait_applied_ok('it streams');
		like($t->log, qr/cannot listen on 127\.0\.0\.1:$port/, 'and says so');
		close $other;
		$t->poll_ok(sub { (get('/healthz'))[0] == 200 }, 'listens once the port is free');
		$t->stop;
		$t->all_equal_ok('public.plain');
	};
	subtest 'the lag of a stream that has applied nothing yet' => sub {
		my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE plain IN SHARE MODE');
		$t->source_sql('INSERT INTO plain VALUES (7000, NULL)');
		$t->start;
		$t->poll_ok(sub { (get('/healthz'))[0] == 200 && status()->{phase} eq 'streaming' && (status()->{lag_bytes} // 0) > 0 && (status()->{lag_seconds} // 0) > 0 }, 'is known');
		SluiceTest::release($lock);
		$t->wait_applied_ok;
		$t->stop;
	};
}

done_testing();
