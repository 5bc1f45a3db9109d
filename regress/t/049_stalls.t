#!/usr/bin/perl
# A destination that does not answer: what it works on may take as long as it likes, locks are named, and what
# nobody works on is given up and done again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Proxy;
use Test::More;

SluiceTest::needs_own_destination('its connections are tampered with');

$ENV{SLUICE_TEST_STALL} = '400,1600';	# instead of a minute and ten

my $t = SluiceTest->new;
my $destination = Proxy->new($t->destination_conninfo);
$t->source_sql(q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10) i;
});
$t->configure({ destination => { conninfo => $destination->conninfo } });
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

# ---- locks

my $held = SluiceTest::hold($t->destination_conninfo, q{SET application_name = 'the holder'; LOCK TABLE t IN ACCESS EXCLUSIVE MODE});
$t->source_sql(q{UPDATE t SET v = v || '!' WHERE id <= 3});
$t->poll_ok(sub { $t->log =~ /warning the destination has waited for \d+ s for a lock that is held by process \d+ \(postgres, the holder\): \S/ },
	'who holds a lock is named');
my $warnings = sub { () = $t->log =~ /has waited for/g };
$t->poll_ok(sub { $warnings->() >= 3 }, 'again after twice, and four times as long');
unlike($t->log, qr/trying again/, 'what waits for a lock is not given up');
SluiceTest::release($held);
$t->wait_applied_ok('the batch is applied once the lock is free');

# ---- nobody there

$destination->welcome('stall');
$destination->stall;
$t->source_sql(q{UPDATE t SET v = v || '?' WHERE id > 3});
$t->poll_ok(sub { $t->log =~ /warning the destination has not answered for \d+ s \(/ }, 'silence is warned about');
$t->poll_ok(sub { $t->log =~ /the destination \S+ has not answered for \d+ s, and works on nothing.*trying again/ },
	'and given up after a while');
$destination->welcome('pass');
$t->wait_applied_ok('the batch is done again');

# ---- an answer that is lost on its way

$destination->rule(match => Proxy::COMMIT, when => 'after', action => 'stall');
$t->source_sql(q{INSERT INTO t VALUES (11, 'x')});
$t->poll_ok(sub { $t->log =~ /has not answered for \d+ s, and its session has nothing to do/ }, 'a lost answer is told from work');
$t->wait_applied_ok('and the position looked up');
$t->equal_ok('public.t');
is($t->stop, 0, 'it stops');

# ---- a copy that waits, on a terminal

$t->source_sql('CREATE TABLE first (id int PRIMARY KEY, v text); INSERT INTO first SELECT i, repeat(\'x\', 1000) FROM generate_series(1, 20000) i;'
	  . 'CREATE TABLE second (id int PRIMARY KEY, v text); INSERT INTO second SELECT i, repeat(\'x\', 1000) FROM generate_series(1, 10000) i; ANALYZE');
$t->destination_sql('CREATE TABLE first (id int PRIMARY KEY, v text); CREATE TABLE second (id int PRIMARY KEY, v text)');
$t->configure({ task => 'shown', tables => { include => [ 'public.first', 'public.second' ] }, initial_copy => { jobs => 1, existing => 'clear' } });
$held = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE second IN EXCLUSIVE MODE');
my $typescript = $t->directory . '/typescript';
my $run = IPC::Run::start([ 'script', '-qefc', join(' ', $t->program, 'run', '-c', $t->{config}), $typescript ], '<', '/dev/null', '>', '/dev/null');
my $lines = sub { return [ split /[\r\n]+/, -e $typescript ? PostgreSQL::Test::Utils::slurp_file($typescript) : '' ] };
my $waits = sub { return grep { /copied 1 of 2 tables, .*; public\.second: .*waiting for a lock at the destination, held by process/ } @{ $lines->() } };
$t->poll_ok(sub { $waits->() >= 2 }, 'the progress says what a copy waits for') or diag(join "\n", @{ $lines->() });
unlike($lines->()[-1], qr/ s left/, 'and not how long it will take');
my ($second) = grep { $_->{source} eq 'public.second' } @{ $t->status->{tables} };
like($second->{step}, qr/^waiting for a lock/, 'so does status');
is($second->{seconds_left}, undef, 'nor does that');
SluiceTest::release($held);
$t->poll_ok(sub { grep { /streaming from/ } @{ $lines->() } }, 'it goes on');
$t->run_ok('stop');
ok($run->finish, 'it ends') or diag(join "\n", @{ $lines->() });
$t->equal_ok("public.$_") for qw(first second);

done_testing();
