#!/usr/bin/perl
# The rates of copy and stream, which a reload changes while they run; and what a reload does not interrupt.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i;
	CREATE TABLE b (id int PRIMARY KEY, v text);
});

sub copied { my ($a) = grep { $_->{source} eq 'public.a' } @{ $t->status->{tables} }; return $a->{rows_copied}; }

sub lines { my ($pattern) = @_; my $count = () = $t->log =~ /$pattern/g; return $count; }

# At this rate the copy takes an hour.
$t->configure({ initial_copy => { rate => '5kB/s', jobs => 2 } });
$t->start;
$t->poll_ok(sub { ($t->status->{phase} // '') eq 'copying' && copied() > 0 }, 'rows come');
cmp_ok(copied(), '<', 20000, 'and they are held back');
$t->configure({ initial_copy => { rate => 'unlimited', jobs => 2 }, log => { level => 'debug' } });
is($t->run_ok('reload')->{stdout}, "reloaded\n", 'the rate is changed during the initial copy');
$t->wait_applied_ok;
is(lines('copying 2 tables'), 1, 'the copy went on');
is(lines('attempt: connecting'), 0, 'in the same attempt');
like($t->log, qr/ debug /, 'with another level of the log');
$t->all_equal_ok('public.a');

subtest 'the stream' => sub {
	my $walsender = "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'sluice_test'";
	$t->poll_ok(sub { $t->source_sql($walsender) ne '' }, 'it streams');
	my $pid = $t->source_sql($walsender);
	my $rows = sub { return $t->destination_sql('SELECT count(*) FROM b'); };

	$t->configure({ apply => { rate => '5kB/s' }, initial_copy => { jobs => 2 } });
	is($t->run_ok('reload')->{stdout}, "reloaded\n", 'a slow rate');
	# One transaction a row: some are there while others are not.
	$t->source_sql(q{
		CREATE PROCEDURE fill() LANGUAGE plpgsql AS $$
		BEGIN FOR i IN 1 .. 3000 LOOP INSERT INTO b VALUES (i, md5(i::text) || repeat(md5(i::text), 60)); COMMIT; END LOOP; END $$;
		CALL fill();
	});
	$t->poll_ok(sub { $rows->() > 0 }, 'rows come');
	my $now = $t->source_sql('SELECT clock_timestamp()');
	$t->poll_ok(sub { $t->source_sql("SELECT reply_time > timestamptz '$now' FROM pg_stat_replication WHERE pid = $pid") eq 't' }, 'the source is answered');
	cmp_ok($rows->(), '<', 3000, 'and they are held back');
	$t->configure({ apply => { rate => '1024GB/s' }, initial_copy => { jobs => 2 } });
	is($t->run_ok('reload')->{stdout}, "reloaded\n", 'a fast one');
	$t->wait_applied_ok;
	is($t->source_sql($walsender), $pid, 'in the same attempt');
	$t->all_equal_ok('public.b');
};

subtest 'background copies' => sub {
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE a IN ACCESS SHARE MODE');
	$t->run_ok('table', 'resync', 'public.a');
	$t->poll_ok(sub { lines('copying 1 table') == 1 }, 'it is copied again');
	$t->configure({ apply => { max_bytes => '1MB' }, initial_copy => { jobs => 2 } });
	like($t->run_ok('reload')->{stdout}, qr/\Aaccepted; it takes effect when the tables that are being copied are done$/, 'another key');
	like($t->run_ok('reload')->{stdout}, qr/\Aaccepted/, 'once more');
	SluiceTest::release($lock);
	$t->poll_ok(sub { lines("the configuration was read again\n") == 1 }, 'it is taken over');
	like($t->log, qr/copied public\.a: 20000 rows.*table caught up.*the configuration was read again\n/s, 'after the copy');
	$t->wait_applied_ok;
	is(lines('copying 1 table'), 1, 'which was made once');
	$t->all_equal_ok('public.a');

	$lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE a IN ACCESS SHARE MODE');
	$t->run_ok('table', 'resync', 'public.a');
	$t->poll_ok(sub { lines('copying 1 table') == 2 }, 'it is copied again');
	$t->configure({ tables => { exclude => ['public.a'] } });
	is($t->run_ok('reload')->{stdout}, "reloaded\n", 'without the table that is copied');
	is($t->status->{phase}, 'streaming', 'the task goes on');
	SluiceTest::release($lock);
};

is($t->stop, 0, 'it ends');
done_testing();
