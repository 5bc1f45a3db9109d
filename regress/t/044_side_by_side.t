#!/usr/bin/perl
# Several tasks on one host, a process each: two over different tables of one
# database into one destination, and one of another database into another.
use strict;
use warnings;

use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(task => 'shop');
(my $store = $t->source_conninfo) =~ s/'?\bshop\b'?/store/;
my $tables = 'CREATE TABLE orders (id int PRIMARY KEY, v text); CREATE TABLE events (id int PRIMARY KEY, v text);
	INSERT INTO orders SELECT i, i FROM generate_series(1, 200) i; INSERT INTO events SELECT i, i FROM generate_series(1, 100) i';
$t->source_sql($tables);
$t->source_sql('CREATE DATABASE store');
SluiceTest::psql($store, $tables);
SluiceTest::psql($store, "UPDATE orders SET v = 'of the store'");

# Each task with its own configuration, process and log.
sub task
{
	my ($name, $changes) = @_;
	my $task = bless { %$t, task => $name, directory => "$t->{directory}/$name" }, 'SluiceTest';
	make_path($task->{directory});
	$task->configure({ task => $name, %$changes }, "$name.yaml");
	return $task;
}
my @tasks = (
	task('orders', { tables => { include => ['public.orders'] } }),
	task('events', { tables => { include => ['public.events'] } }),
	task('store', { source => { conninfo => $store }, tables => { include => ['public.*'],
		overrides => [ map { { source => "public.$_", target => "store.$_" } } qw(orders events) ] } }),
);

sub state_of { my ($task) = @_; return $t->destination_sql("SELECT applied_lsn, slot FROM sluice.progress WHERE task = '$task->{task}'"); }

# All at once, from the initial copy on.
$_->start for @tasks;
$_->wait_applied_ok("task $_->{task} has copied and follows") for @tasks;
is($t->source_sql('SELECT string_agg(slot_name, \' \' ORDER BY slot_name) FROM pg_replication_slots'),
	'sluice_events sluice_orders sluice_store', 'a slot each');
is($t->destination_sql('SELECT count(*) FROM sluice.progress'), 3, 'a row of progress each');
is_deeply([ map { scalar @{ $_->status->{tables} } } @tasks ], [ 1, 1, 2 ], 'each with its own tables');

sub compare_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$_->wait_applied_ok("$name: task $_->{task}") for @tasks;
	$_->run_ok('compare') for @tasks;
}
my $change = "INSERT INTO orders SELECT i, 'new' FROM generate_series(1001, 1100) i; UPDATE orders SET v = v || '!' WHERE id < 50;
	DELETE FROM events WHERE id > 90";
$t->source_sql($change);
SluiceTest::psql($store, "$change; UPDATE events SET v = 'of the store'");
compare_ok('changes');
is($t->destination_sql("SELECT count(*) FROM store.orders WHERE v LIKE 'of the store%'"), 200, 'the databases are not mixed up');

# What happens to one is nothing to the others.
my ($orders, $events, $other) = @tasks;
$orders->kill9;
ok($_->running, "task $_->{task} runs on") for $events, $other;
$t->source_sql("UPDATE orders SET v = 'while it was down'; UPDATE events SET v = 'meanwhile'");
$events->wait_applied_ok('the others go on');
my $before = state_of($orders);
$events->run_ok('compare');
is(state_of($orders), $before, 'its position stays');
is($orders->status->{phase}, 'stopped', 'status tells them apart');
is($events->status->{phase}, 'streaming', 'by their task');
$orders->start;
compare_ok('all three again');
is($events->stop, 0, 'one is stopped');
$events->run_ok('drop');
is($t->destination_sql('SELECT count(*) FROM sluice.tables'), 3, "drop removes its own task's state");
$t->source_sql("INSERT INTO orders VALUES (5000, 'last')");
SluiceTest::psql($store, "INSERT INTO orders VALUES (5000, 'last')");
@tasks = ($orders, $other);
compare_ok('and not the others');
is($_->stop, 0, "task $_->{task} ends") for @tasks;

done_testing();
