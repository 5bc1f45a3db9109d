#!/usr/bin/perl
# A holder that is frozen, or cut off from the destination, keeps its sessions there: its lease is not renewed any more,
# and a standby takes over.  The former holder cannot write any more, whatever it was doing: a batch, the initial copy,
# a background copy, a changed definition.  All of them lose their tasks at the same time, since that takes a while.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Hosts;
use Proxy;
use Test::More;
use Time::HiRes qw(time);

my $t = SluiceTest->new;
my $external = SluiceTest::destination_is_external();
my @schemas = qw(batch copy background ddl alone); # alone: the first is not to be a standby itself
push @schemas, qw(cut plain) unless $external; # plain: its lease cannot be renewed for as long, and it has no standby

$t->source_sql(join '', map { "
	CREATE SCHEMA $_;
	CREATE TABLE $_.t (id int PRIMARY KEY, v text);
	CREATE TABLE $_.u (a int, b text);
	ALTER TABLE $_.u REPLICA IDENTITY FULL;
	INSERT INTO $_.t SELECT i, 'v' || i FROM generate_series(1, 1000) i;
	INSERT INTO $_.u SELECT i % 3, 'b' FROM generate_series(1, 100) i;
" } @schemas);

my %proxy = $external ? () : (cut => Proxy->new($t->destination_conninfo), batch => Proxy->new($t->destination_conninfo));
my (%first, %second);
for my $task (@schemas)
{
	my $hosts = Hosts->new($t, { task => $task, tables => { include => ["$task.*"] } });
	my $through = $proxy{$task} ? { destination => { conninfo => $proxy{$task}->conninfo } } : {};
	$first{$task} = $hosts->host("$task-1", $through);
	$second{$task} = $hosts->host("$task-2") unless $task eq 'plain';
}

my $round = 0;
sub change
{
	my ($task) = @_;
	my $r = ++$round;
	$t->source_sql("
		BEGIN;
		INSERT INTO $task.t (id, v) VALUES (10000 + $r, 'new');
		UPDATE $task.t SET v = v || '+' WHERE id % 50 = $r % 50;
		INSERT INTO $task.u SELECT $r % 5, NULL FROM generate_series(1, 3);
		DELETE FROM $task.u WHERE ctid IN (SELECT ctid FROM $task.u WHERE b IS NULL LIMIT 2);
		COMMIT;
	");
}

sub waits { my ($relation) = @_; return sub { $t->destination_sql("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '$relation'::regclass") > 0 }; }

# ---- each is brought to where it is to lose its task

my %held;
$t->destination_sql('CREATE SCHEMA copy; CREATE TABLE copy.t (id int PRIMARY KEY, v text)');
$held{copy} = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE copy.t IN EXCLUSIVE MODE');
$first{$_}->start($_ =~ /^(?:alone|plain)$/ ? () : '--standby') for @schemas;
for my $task (grep { $_ ne 'copy' } @schemas)
{
	$first{$task}->poll_ok(sub { $first{$task}->log =~ /streaming from/ }, "$task: it streams");
	change($task);
}
$first{copy}->poll_ok(waits('copy.t'), 'the initial copy waits');
my @all = @schemas;
@schemas = grep { $second{$_} } @schemas;
$_->start('--standby') for values %second;
$second{$_}->poll_ok(sub { $second{$_}->log =~ /standby: the task is run by/ }, "$_: its standby waits") for @schemas;

$held{batch} = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE batch.t IN EXCLUSIVE MODE');
change('batch');
$first{batch}->poll_ok(waits('batch.t'), 'a batch waits');

$t->source_sql('CREATE TABLE background.late (id int PRIMARY KEY, v text)');
$t->destination_sql('CREATE TABLE background.late (id int PRIMARY KEY, v text)');
$held{background} = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE background.late IN EXCLUSIVE MODE');
$t->source_sql("INSERT INTO background.late SELECT i, 'l' FROM generate_series(1, 100) i");
$first{background}->poll_ok(waits('background.late'), 'a background copy waits');

$held{ddl} = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE ddl.t IN ACCESS SHARE MODE');
$t->source_sql('ALTER TABLE ddl.t ADD COLUMN more int DEFAULT 7');
change('ddl');
$first{ddl}->poll_ok(waits('ddl.t'), 'a changed definition waits');

# ---- they lose it

my %pid = map { $_ => $first{$_}{pid} } @schemas;
my @frozen = grep { $_ ne 'cut' } @schemas;
$first{$_}->signal('STOP') for @frozen;
if ($proxy{cut})
{
	$proxy{cut}->welcome('stall');
	$proxy{cut}->stall;
}
my $plain = $external ? undef : SluiceTest::hold($t->destination_conninfo, "UPDATE sluice.progress SET phase = phase WHERE task = 'plain'");
my $began = time;
SluiceTest::release($_) for values %held;
# The server answers, and what it has begun for them stays open: they would go on from here.
change($_) for @all;

for my $task (@schemas)
{
	$second{$task}->poll_ok(sub { $second{$task}->log =~ /was not renewed for 1\d s: ending the sessions of host \S+, process $pid{$task},.*taking over.*streaming from/s },
		"$task: the standby takes over");
	note(sprintf '%s: %.1f s', $task, time - $began);
	$second{$task}->wait_applied_ok("$task: and catches up");
}
if ($plain)
{
	SluiceTest::release($plain);
	$first{plain}->wait_applied_ok('without a standby a silent destination is waited for');
	unlike($first{plain}->log, qr/trying again|has not answered/, 'by the same attempt');
	is($first{plain}->stop, 0, 'stop');
}
my @tables = ((map { ("$_.t", "$_.u") } @all), 'background.late');
$t->all_equal_ok(@tables);

if ($proxy{cut})
{
	like($first{cut}->log, qr/the destination has not answered for 1\d s/, 'the one that is cut off has given up by itself');
	is($t->source_sql("SELECT count(*) FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE slot_name = 'sluice_cut'"), 1,
		'the slot is read by one');
	ok($first{cut}->running, 'it lives');
}

# ---- they come back

$proxy{batch}->rule(match => '(?:INSERT|UPDATE|DELETE|COPY|ALTER|CREATE|TRUNCATE) ', when => 'before', action => 'cut') if $proxy{batch};
$first{$_}->signal('CONT') for @frozen;
$proxy{cut}->welcome('pass') if $proxy{cut};
change($_) for @schemas;
is($first{alone}->wait_for_end, 1, 'one that is not to stand by ends with 1');
like($first{alone}->log, qr/another daemon of task alone has taken over \(host \S+, process $second{alone}{pid}, since [^)]+\)[^\n]*\n\z/, 'and says who has the task');
for my $task (grep { $_ ne 'alone' } @schemas)
{
	$first{$task}->poll_ok(sub { $first{$task}->log =~ /another daemon of task $task has taken over.*waiting as its standby.*standby: the task is run by host \S+, process $second{$task}{pid},/s },
		"$task: the former holder says that it has lost the task, and is its standby now");
}
$second{$_}->wait_applied_ok("$_: the new one goes on") for @schemas;
if ($proxy{batch})
{
	ok(!$proxy{batch}->fired, 'it has tried to write nothing') or diag($proxy{batch}->fired);
}
$t->all_equal_ok(@tables);
is($t->destination_sql("SELECT string_agg(DISTINCT holder_pid::text, ',' ORDER BY holder_pid::text) FROM sluice.progress WHERE task <> 'plain'"),
	join(',', sort map { $second{$_}{pid} } @schemas), 'each task has its new holder');
is($second{$_}->log =~ /has taken over/ ? 'disturbed' : 'undisturbed', 'undisturbed', "$_: undisturbed") for @schemas;
for my $task (@schemas)
{
	is($first{$task}->stop, 0, "$task: a stop of the standby") if $first{$task}{pid};
	is($second{$task}->stop, 0, "$task: a stop of the holder");
}

done_testing();
