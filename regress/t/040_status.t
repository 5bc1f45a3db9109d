#!/usr/bin/perl
# What `sluice status` says of a daemon on its own host: how far a copy is, what it waits for and since when.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE large (id int PRIMARY KEY, v text);
	INSERT INTO large SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i;
	ANALYZE large;
});

sub text { return $t->sluice('status')->{stdout}; }
sub table { return $t->status->{tables}[0] // {}; }

$t->configure;
is($t->status->{phase}, 'new', 'a task that has never run is new');

subtest 'a copy' => sub {
	$t->configure({ initial_copy => { rate => '5kB/s' } });
	$t->start;
	$t->poll_ok(sub { ($t->status->{phase} // '') eq 'copying' && (table()->{rows_per_second} // 0) > 0 }, 'it copies');
	my $table = table();
	is($table->{rows_expected}, 20000, 'of how many rows');
	cmp_ok($table->{rows_copied}, '>', 0, 'how many are copied');
	ok(defined $table->{seconds_left}, 'and how long that will take');
	is($t->status->{pid}, $t->{daemon}{pid} // $t->status->{pid}, 'by which process');
	like(text(), qr/^phase +copying, for \d+ \w+$/m, 'since when');
	like(text(), qr/^public\.large +\S+ +copying +\d+ +of about 20000, \d+ rows\/s, \d+ \w+ left$/m, 'the text, too');
	$t->kill9;
	$t->poll_ok(sub { $t->status->{phase} eq 'stopped' }, 'without a daemon the task is stopped');
	is(table()->{state}, 'waiting', 'its table waits to be copied');
	like(text(), qr/^copy +not finished: 1 of 1 table still to be copied; "sluice run" goes on with it$/m, 'and the text says that it is not finished');
};

subtest 'a lock' => sub {
	plan skip_all => 'this server does not say who holds a lock' if $t->destination_is_greenplum;
	local $ENV{SLUICE_TEST_STALL} = '400,600000';
	$t->configure({ initial_copy => { existing => 'clear' } });
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE large IN ACCESS SHARE MODE');
	$t->start;
	$t->poll_ok(sub { ($t->status->{waiting_for} // '') =~ /^the copy of public\.large: .*waiting for a lock at the destination, held by process \d+/ }, 'a copy waits for it');
	like($t->status->{waiting_since} // '', qr/^\d{4}-/, 'since when');
	like(text(), qr/^waiting for +the copy of public\.large: .*, for \d+ s$/m, 'the text, too');
	SluiceTest::release($lock);
	$t->poll_ok(sub { $t->status->{phase} eq 'streaming' && !$t->status->{waiting_for} }, 'then it goes on');
	unlike(text(), qr/not finished/, 'and the copy is finished');

	$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE large IN SHARE MODE');
	$t->source_sql('DELETE FROM large WHERE id = 1');
	$t->poll_ok(sub { ($t->status->{waiting_for} // '') =~ /^a lock at the destination, held by process \d+/ }, 'a batch waits for it');
	is($t->status->{phase}, 'streaming', 'in which phase');
	SluiceTest::release($lock);
	$t->wait_applied_ok;
};

subtest 'the destination is away' => sub {
	plan skip_all => "the servers are not the test's own" if $t->destination_is_external;
	$t->destination->stop('immediate');
	$t->poll_ok(sub { text() =~ /^phase +retrying, for \d+ s\nwaiting for +the (?:destination|next attempt), for \d+ s\n.*^last error +.*destination/ms }, 'the daemon says so');
	my $result = $t->sluice('status', '--json');
	is($result->{status}, 1, 'what only the destination knows is missing');
	like($result->{stderr}, qr/cannot connect to the destination/, 'and why');
	my $status = decode_json($result->{stdout});
	is($status->{phase}, 'retrying', 'as JSON, too');
	ok(defined $status->{lag_bytes}, 'with the lag as it was');
	$t->destination->start;
	$t->poll_ok(sub { $t->status->{phase} eq 'streaming' }, 'it is back');
};

if (!$t->running) {
	# Greenplum: the copy is still to be finished.
	$t->configure({ initial_copy => { existing => 'clear' } });
	$t->start;
	$t->wait_applied_ok('the copy is finished by another daemon');
}
is($t->stop, 0, 'it ends');
is($t->status->{phase}, 'stopped', 'then the task is stopped');

subtest 'the fields of a log in JSON' => sub {
	$t->destination_sql('ALTER TABLE large ADD CHECK (id < 100000) NOT VALID');
	$t->configure({ log => { format => 'json' } });
	$t->source_sql("INSERT INTO large VALUES (100000, 'refused')");
	my $result = $t->sluice('run', '--until', 'current');
	is($result->{status}, 1, 'a row is refused');
	my @lines = map { decode_json($_) } grep { /^\{/ } split /\n/, $result->{stderr};
	my ($error) = grep { $_->{level} eq 'error' } @lines;
	is($error->{task}, $t->{task}, 'task');
	is($error->{table}, 'public.large', 'table');
	like($error->{lsn}, qr{^[0-9A-F]+/[0-9A-F]+$}, 'LSN');
	is($error->{sqlstate}, '23514', 'SQLSTATE');
	like($error->{message}, qr/^applying the batch up to.*public\.large/, 'and the message');
	like((split /\n/, $result->{stderr})[-1], qr/^sluice: applying the batch/, 'the last line is a sentence as ever');
};
done_testing();
