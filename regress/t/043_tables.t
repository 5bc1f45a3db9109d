#!/usr/bin/perl
# Tables that come, are added, removed and copied again while the others go on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run ();
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE others (id int PRIMARY KEY, v text);
	INSERT INTO others SELECT i, 'v' || i FROM generate_series(1, 100) i;
	CREATE SCHEMA extra;
	CREATE TABLE extra."Odd, name" (id int PRIMARY KEY, v text);
	INSERT INTO extra."Odd, name" SELECT i, 'odd' FROM generate_series(1, 50) i;
	CREATE TABLE extra.hidden (id int PRIMARY KEY);
	CREATE TABLE extra.second (id int PRIMARY KEY, v text);
	INSERT INTO extra.second VALUES (1, 'one');
});
my $odd = 'extra."Odd, name"';
my $tables = { include => ['public.*'], exclude => ['extra.hidden'] };
$t->configure({ tables => $tables });

my $round = 0;
sub others_go_on_ok
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$round++;
	$t->source_sql("INSERT INTO others VALUES (1000 + $round, 'round'); UPDATE others SET v = '$round' WHERE id = $round");
	$t->wait_applied_ok("$when, the others go on");
	$t->all_equal_ok('public.others');
}

sub state_of
{
	my ($schema, $name) = @_;
	return $t->destination_sql("SELECT coalesce((SELECT state FROM sluice.tables
		WHERE source_schema = '$schema' AND source_name = '$name'), 'none')");
}

sub streams_ok
{
	my ($schema, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($schema, $name) eq 'streaming' }, "$schema.$name streams");
}

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
others_go_on_ok('at first');

subtest 'new tables' => sub {
	$t->source_sql(q{
		CREATE TABLE silent (id int PRIMARY KEY);
		CREATE TABLE keyed (id int PRIMARY KEY, v text);
		INSERT INTO keyed VALUES (1, 'first');
		CREATE TABLE bag (a int, b text);
		INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (2, NULL);
		UPDATE keyed SET v = 'second';
	});
	streams_ok('public', $_) for qw(silent keyed);
	others_go_on_ok('with new tables');
	$t->source_sql("INSERT INTO silent VALUES (7); INSERT INTO keyed VALUES (2, 'followed')");
	$t->wait_applied_ok;
	$t->all_equal_ok('public.silent', 'public.keyed');
	$t->poll_ok(sub { $t->log =~ /new table public\.bag waits: .*REPLICA IDENTITY/ }, 'one without identity waits');
	is(state_of('public', 'bag'), 'waiting', 'and is not touched');
	$t->source_sql("ALTER TABLE bag REPLICA IDENTITY FULL; DELETE FROM bag WHERE ctid = '(0,1)'; INSERT INTO bag VALUES (3, 'y')");
	streams_ok('public', 'bag');
	others_go_on_ok('with an identity');
	$t->source_sql("UPDATE bag SET b = 'z' WHERE a = 3");
	$t->wait_applied_ok;
	$t->all_equal_ok('public.bag');
	# Many at once, of which one is not fit.
	my $many = 60;
	$t->source_sql('BEGIN; ' . join('; ', map { "CREATE TABLE public.many_$_ (id int" . ($_ == 33 ? '' : ' PRIMARY KEY') . ')' } 1 .. $many) . '; COMMIT') if !$t->destination_is_greenplum;
	$t->poll_ok(sub { $t->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_name LIKE 'many%' AND state = 'streaming'") == $many - 1 },
		'all but one of many are taken in') if !$t->destination_is_greenplum;
	$t->source_sql("DROP TABLE IF EXISTS many_33");
};

subtest 'add' => sub {
	$t->fails_like([ 'table', 'ad', 'x.y' ], 2, qr/table needs add, remove or resync/, 'no such action');
	$t->fails_like([ 'table', 'add' ], 2, qr/names of tables/, 'no names');
	$t->fails_like([ 'table', 'add', 'extra.*' ], 2, qr/is a pattern: name the tables/, 'a pattern');
	$t->fails_like([ 'table', 'add', 'extra.second', 'extra.none' ], 1, qr/extra\.none cannot be added.*no such table/, 'one that is not there');
	$t->fails_like([ 'table', 'add', 'extra.hidden' ], 1, qr/extra\.hidden cannot be added.*tables\.exclude/, 'one that is excluded');
	$t->fails_like([ 'table', 'add', 'public.others' ], 1, qr/one of the task's tables already/, 'one that is there');
	$t->source_sql('CREATE TABLE extra.bare (id int)');
	$t->fails_like([ 'table', 'add', 'extra.bare' ], 1, qr/identity: extra\.bare/, 'one that a check refuses');
	is($t->destination_sql('SELECT count(*) FROM sluice.selection'), 0, 'nothing of that is kept');
	like($t->run_ok('table', 'add', $odd)->{stdout}, qr/\Aadded; it is copied and streamed while the others continue\n\z/, 'add');
	streams_ok('extra', 'Odd, name');
	$t->source_sql("UPDATE $odd SET v = 'changed' WHERE id < 20; INSERT INTO $odd VALUES (99, 'new')");
	others_go_on_ok('after that');
	$t->all_equal_ok($odd);
};

subtest 'resync' => sub {
	$t->destination_sql("DELETE FROM keyed; INSERT INTO keyed VALUES (2, 'wrong'), (77, 'stray'); DELETE FROM $odd WHERE id < 10");
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE keyed IN EXCLUSIVE MODE');
	like($t->run_ok('table', 'resync', 'public.keyed', $odd)->{stdout}, qr/\Aits target is cleared and it is copied again/, 'resync');
	streams_ok('extra', 'Odd, name') if 0;
	$t->source_sql("INSERT INTO keyed VALUES (3, 'meanwhile'); UPDATE keyed SET v = 'changed' WHERE id = 1; DELETE FROM $odd WHERE id = 30");
	$t->source_sql("INSERT INTO others VALUES (5000, 'meanwhile')");
	$t->poll_ok(sub { $t->destination_sql('SELECT count(*) FROM others WHERE id = 5000') }, 'the others go on meanwhile');
	isnt(state_of('public', 'keyed'), 'streaming', 'while it is copied');
	$t->fails_like([ 'table', 'resync', 'public.keyed' ], 1, qr/public\.keyed waits for its copy already/, 'once more');
	SluiceTest::release($lock);
	streams_ok('public', 'keyed');
	streams_ok('extra', 'Odd, name');
	others_go_on_ok('after that');
	$t->all_equal_ok('public.keyed', $odd);
	$t->fails_like([ 'table', 'resync', 'extra.second' ], 2, qr/extra\.second is not part of this task/, 'another one');
};

subtest 'remove' => sub {
	like($t->run_ok('table', 'remove', $odd, 'public.silent')->{stdout}, qr/\Aremoved; what the targets hold stays\n/, 'remove');
	$t->poll_ok(sub { state_of('extra', 'Odd, name') eq 'none' }, 'they are gone');
	$t->source_sql("INSERT INTO $odd VALUES (500, 'not followed'); INSERT INTO silent VALUES (500)");
	others_go_on_ok('after that');
	is($t->destination_sql("SELECT (SELECT count(*) FROM $odd WHERE id = 500) + (SELECT count(*) FROM silent WHERE id = 500)"),
		0, 'their changes are left out');
	is($t->destination_sql('SELECT count(*) FROM silent WHERE id = 7'), 1, 'what was there stays');
	$t->fails_like([ 'table', 'remove', $odd ], 2, qr/is not part of this task/, 'once more');
	$t->run_ok('check');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	# What the configuration says of a table that was removed is no contradiction.
	$t->configure({ tables => { %$tables, overrides => [ { source => 'public.silent', operations => ['insert'] } ] } });
	like($t->run_ok('check')->{stdout}, qr/^warning +selection +public\.silent: tables\.overrides names it, and .*"sluice table remove" leaves it out/m,
		'an override of a removed table');
	$t->run_ok('run', '--until', 'current');
	$t->configure({ tables => $tables });
};

subtest 'without a daemon' => sub {
	like($t->run_ok('table', 'add', 'extra.second')->{stdout}, qr/ \(no daemon runs: the next one sees to it\)\n\z/, 'add');
	$t->destination_sql('DELETE FROM bag');
	$t->run_ok('table', 'resync', 'public.bag');
	my %states = map { $_->{source} => $_->{state} } @{ $t->status->{tables} };
	is($states{'public.bag'}, 'waiting', 'status shows what is to be done');
	$t->source_sql('CREATE TABLE unfit (id int); INSERT INTO unfit VALUES (1)');
	$t->fails_like(['check'], 3, qr/identity: public\.unfit/, 'a new table that a check refuses');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.unfit waits: identity: /, 'ends a run that is to bring all tables, when it has brought the others');
	$t->start;
	streams_ok(@$_) for [qw(extra second)], [qw(public bag)];
	others_go_on_ok('after the start');
	$t->source_sql("UPDATE extra.second SET v = 'two'; DELETE FROM bag WHERE a = 2");
	$t->wait_applied_ok;
	$t->all_equal_ok('public.bag', 'extra.second', 'public.keyed');
	like($t->log, qr/new table public\.unfit waits: .*REPLICA IDENTITY/, 'the daemon goes on without it');
	$t->source_sql('ALTER TABLE unfit REPLICA IDENTITY FULL; DELETE FROM unfit; INSERT INTO unfit VALUES (2), (2)');
	streams_ok('public', 'unfit');
	$t->all_equal_ok('public.unfit');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	is(state_of('public', 'silent'), 'none', 'what was removed stays so');
	$t->run_ok('run', '--until', 'current');
};

# What the daemon has to write down for it is locked by the transaction, which goes on only when the daemon does.
subtest 'within a large transaction that alters the table' => sub {
	$t->configure({ tables => { include => ['public.*'], exclude => ['extra.hidden'] }, apply => { memory => '16MB', max_bytes => '1MB' } });
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
	my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE others IN EXCLUSIVE MODE');
	$t->source_sql("BEGIN; ALTER TABLE keyed ADD more int; UPDATE keyed SET more = 1;
		INSERT INTO others SELECT i, repeat(md5(i::text), 20) FROM generate_series(100000, 160000) i; COMMIT");
	$t->poll_ok(sub {
		$t->destination_sql("SELECT count(*) FROM pg_locks WHERE relation = 'others'::regclass AND NOT granted") > 0;
	}, 'a round of it is under way');
	my $resync = IPC::Run::start([ $t->program, 'table', '-c', $t->{config}, 'resync', 'public.keyed' ], '>', \my $answer);
	$t->source_sql('SELECT pg_sleep(1)');
	SluiceTest::release($lock);
	ok($resync->finish, 'resync');
	like($answer, qr/\Aits target is cleared and it is copied again/, 'is answered');
	$t->wait_applied_ok;
	streams_ok('public', 'keyed');
	others_go_on_ok('after that');
	$t->all_equal_ok('public.keyed');
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

subtest 'a copy that the destination refuses' => sub {
	$t->destination_sql("CREATE TABLE refused (id int PRIMARY KEY, v text CHECK (v <> 'bad'))");
	$t->source_sql(q{
		CREATE TABLE refused (id int PRIMARY KEY, v text);
		INSERT INTO refused VALUES (1, 'good'), (2, 'bad');
		CREATE TABLE beside (id int PRIMARY KEY);
		INSERT INTO beside SELECT generate_series(1, 100);
	});
	$t->start;
	$t->poll_ok(sub { state_of('public', 'refused') eq 'held_for_resync' }, 'that table is held');
	streams_ok('public', 'beside');
	others_go_on_ok('after that');
	my ($held) = grep { $_->{source} eq 'public.refused' } @{ $t->status->{tables} };
	like($held->{error}, qr/copying public\.refused: .*check constraint.*"sluice table resync public\.refused"/s, 'status says why, and what to do');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.refused is held: .*check constraint/, 'a run that is to bring all tables');
	is(state_of('public', 'refused'), 'held_for_resync', 'is not tried again by itself');
	$t->start;
	$t->source_sql("UPDATE refused SET v = 'fixed' WHERE id = 2; INSERT INTO refused VALUES (3, 'new')");
	others_go_on_ok('after a start');
	$t->run_ok('table', 'resync', 'public.refused');
	streams_ok('public', 'refused');
	$t->source_sql("DELETE FROM refused WHERE id = 1; INSERT INTO beside VALUES (101)");
	$t->wait_applied_ok;
	$t->all_equal_ok('public.refused', 'public.beside');
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

subtest 'drop' => sub {
	$t->run_ok('drop');
	is($t->destination_sql('SELECT count(*) FROM sluice.selection'), 0, 'drop forgets what was added');
};

done_testing();
