#!/usr/bin/perl
# A daemon that lives for months: what the server keeps for its sessions does not grow with each changed definition, of
# which every one has prepared statements of its own; and what a large transaction needed is given back.
use strict;
use warnings;

use FindBin;
use List::Util qw(min);
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('the memory of its sessions is read');

my $t = SluiceTest->new(destination => { conf => "log_statement = all\nautovacuum = off\n" });
my @tables = map { "steady$_" } 1 .. 20;
$t->source_sql(join ';', 'CREATE TABLE large (id int PRIMARY KEY, v text)', 'CREATE TABLE changed (id int PRIMARY KEY, v text, n int); INSERT INTO changed VALUES (1, NULL, 0)',
	map { "CREATE TABLE $_ (id int PRIMARY KEY, n int); INSERT INTO $_ SELECT i, 0 FROM generate_series(1, 4) i" } @tables);
$t->configure;
$t->start;

# Definitions that change to and fro, and in between many statements that are executed again and again.
sub busy
{
	my ($from, $to) = @_;
	my $updates = join ' ', map { "UPDATE $_ SET n = n + 1;" } @tables;
	$t->source_sql(join '', map { 'ALTER TABLE changed REPLICA IDENTITY ' . ($_ % 2 ? 'FULL' : 'DEFAULT') . "; BEGIN; UPDATE changed SET n = $_; $updates COMMIT;" } $from .. $to);
	$t->wait_applied_ok("definitions $from to $to");
}

sub kilobytes
{
	my ($pid) = @_;
	my ($kb) = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m or die "no process $pid\n";
	return $kb;
}

# Each session by its process id: others, such as upkeep's, come and go.
sub sessions
{
	my $pids = $t->destination_sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name IN ('sluice', 'sluice lease') AND datname = current_database()");
	return map { $_ => kilobytes($_) } split ' ', $pids;
}

# A session grows as it meets each kind of its statements for the first time: what grows with the definitions grows every time.
busy(1, 300);
my @sizes = { sessions() };
for my $until (500, 700, 900)
{
	busy($until - 199, $until);
	push @sizes, { sessions() };
}
my @stayed = grep { my $pid = $_; !grep { !exists $_->{$pid} } @sizes } keys %{ $sizes[0] };
ok(@stayed > 1, 'the sessions at the destination are the same');
for my $pid (@stayed)
{
	my @kb = map { $_->{$pid} } @sizes;
	cmp_ok(min(map { $kb[$_] - $kb[ $_ - 1 ] } 1 .. $#kb), '<', 600, "it has not grown with each definition: @kb kB");
}
my $log = PostgreSQL::Test::Utils::slurp_file($t->destination->logfile);
ok($log =~ /DEALLOCATE "?sluice_update/, 'statements of earlier definitions are deallocated');
ok($log !~ /DEALLOCATE "?sluice_progress/, 'not those in use');

my $kept = kilobytes($t->{pid});
$t->source_sql("INSERT INTO large SELECT i, repeat('x', 100) FROM generate_series(1, 200000) i");
$t->wait_applied_ok('a large transaction');
SKIP:
{
	skip 'sanitizers keep what was freed', 1 if SluiceTest::sanitized();
	$t->poll_ok(sub { kilobytes($t->{pid}) < $kept + 4096 }, "the program has given its memory back, down to $kept kB");
}
$t->equal_ok($_) for 'large', 'changed', @tables;
is($t->stop, 0, 'the run ends');
done_testing();
