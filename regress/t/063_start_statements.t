#!/usr/bin/perl
# A start with nothing to do asks the same, however many tables there are, and hardly anything twice.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('its log is read');

my $t = SluiceTest->new;
my @servers = ($t->source, $t->destination);
for my $server (@servers)
{
	$server->append_conf('postgresql.conf', "log_statement = all\nlog_min_duration_statement = -1\nlog_line_prefix = '%p %a: '\n");
	$server->reload;
}

# What the program has asked of each server since the last call, "PID: statement", one line each.
my %read;
sub asked
{
	my ($server) = @_;
	my $log = PostgreSQL::Test::Utils::slurp_file($server->logfile, $read{ $server->name } // 0);
	$read{ $server->name } += length $log;
	# The source's log may have moved on by itself: then the position follows.  The task's lock is passed on by a statement that
	# is repeated until the other session waits for it.
	return [ grep { !/: (?:BEGIN|COMMIT|UPDATE sluice\.progress SET applied_lsn .*|SELECT pg_advisory_unlock.*pg_locks.*)$/ } map { s/\s+/ /gr } $log =~ /^(\d+ sluice\S*: LOG:  (?:statement|execute [^:]+): .*)$/mg ];
}

sub start_with
{
	my ($from, $to) = @_;
	$t->source_sql(join ';', map { "CREATE TABLE t$_ (id int PRIMARY KEY, v text); INSERT INTO t$_ VALUES (1, 'row')" } $from .. $to);
	$t->run_ok('run', '--until', 'current');
	$t->source_sql("INSERT INTO t1 VALUES ($to, 'streamed')"); # which the source's log is asked for, from now on
	$t->run_ok('run', '--until', 'current');
	asked($_) for @servers;
	$t->run_ok('run', '--until', 'current');
	return map { asked($_) } @servers;
}

sub count { return map { scalar @$_ } @_; }

# Those that one session has asked twice, without their lists of OIDs.
sub repeated
{
	my ($lines) = @_;
	my %times;
	$times{ s/^(\d+) .*?: LOG: +[^:]+: /$1 /r }++ for @$lines;
	return [ map { s/^\d+ //r } sort grep { $times{$_} > 1 } keys %times ];
}

$t->configure;
my @few = start_with(1, 5);
my @many = start_with(6, 80);
is_deeply([ count(@many) ], [ count(@few) ], 'as many statements with 80 tables as with 5');
cmp_ok($few[0] && @{ $few[0] }, '>', 10, 'those at the source are seen');
cmp_ok($few[1] && @{ $few[1] }, '>', 10, 'those at the destination, too');
note(join ' and ', count(@many));

# What vanishes is looked for again behind what is read; the slot is, since a copy takes its time.
my @twice = @{ repeated($few[0]) };
is(scalar(grep { !/^SELECT o FROM unnest|^SELECT s\.plugin, / } @twice), 0, 'nothing else is asked twice at the source') or diag join "\n", @twice;
# The lease is read before the lock is taken and with it.
is_deeply([ grep { !/^UPDATE sluice\.progress SET phase|^SELECT epoch, lease_until/ } @{ repeated($few[1]) } ], [], 'nor anything at the destination, but that the phase is written');
$t->all_equal_ok(map { "public.t$_" } 1 .. 80);

done_testing();
