#!/usr/bin/perl
# The end comes at every point of the conversation with either server: before a
# message of the program is passed on, or after the server has answered it and
# before the program hears of it.  "The end" is SIGKILL and a new start, or a
# lost connection and a run that goes on.  Then both sides are equal.
#
#	SLUICE_TEST_POINTS	how many points of each kind are tried (4), or "all"
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Proxy;
use Test::More;

SluiceTest::needs_own_destination('its connections are tampered with');

my $wanted = $ENV{SLUICE_TEST_POINTS} // (SluiceTest::sanitized() ? 2 : 4);
my @tables = qw(keyed bag emptied large);

my $t = SluiceTest->new;
my %proxy = (
	source => Proxy->new($t->source_conninfo),
	destination => Proxy->new($t->destination_conninfo));
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE bag (a int, b text);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	CREATE TABLE emptied (id int PRIMARY KEY);
	INSERT INTO keyed SELECT i, 'v' || i FROM generate_series(1, 100) i;
	INSERT INTO bag SELECT i % 3, NULLIF('b' || i % 2, 'b0') FROM generate_series(1, 100) i;
	INSERT INTO emptied SELECT generate_series(1, 10);
	CREATE TABLE large (id int PRIMARY KEY, v text);
	INSERT INTO large SELECT i, repeat('v', 100) FROM generate_series(1, 1500) i;
});
$t->configure({
	source => { conninfo => $proxy{source}->conninfo },
	destination => { conninfo => $proxy{destination}->conninfo },
	initial_copy => { jobs => 2, part => '64kB' }, # "large" is copied in parts
});

sub contents
{
	my ($conninfo) = @_;
	return SluiceTest::psql($conninfo, join ' UNION ALL ', map {
		"(SELECT '$_: ' || count(*) || ' rows ' || coalesce(md5(string_agg(t::text, ',' ORDER BY t::text)), '') ||"
		. " (SELECT ' keys ' || count(*) FROM pg_index WHERE indrelid = '$_'::regclass AND indisvalid) FROM $_ t)"
	} @tables);
}

# Some transactions; most tables are in several, so that half of one would show.
my $round = 0;
sub change
{
	my $r = ++$round;
	$t->source_sql("
		BEGIN;
		INSERT INTO keyed VALUES (1000 + $r, 'new');
		INSERT INTO bag SELECT $r % 5, NULL FROM generate_series(1, 3);
		UPDATE keyed SET v = v || '+' WHERE id % 10 = $r % 10;
		COMMIT;
		BEGIN;
		UPDATE keyed SET id = -id WHERE id = $r OR id = 1000 + $r;
		DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE b IS NULL LIMIT 2);
		TRUNCATE emptied;
		INSERT INTO emptied VALUES ($r);
		COMMIT;
		INSERT INTO emptied VALUES (-$r);
		UPDATE bag SET b = 'u' WHERE ctid = (SELECT min(ctid) FROM bag);
	");
}

# A task that has never run, and targets that hold nothing.
sub forget
{
	my $result = $t->sluice('drop');
	die "drop failed: $result->{stderr}" if $result->{status};
	$t->destination_sql(join '', map { "DROP TABLE IF EXISTS $_;" } @tables);
}

sub run_once { return $t->sluice('run', '--until', 'current'); }

# The numbers of the points to try, out of so many.
sub points
{
	my ($count) = @_;
	return 1 .. $count if $wanted eq 'all' || $wanted >= $count;
	my %chosen;
	$chosen{ 1 + int rand $count } = 1 while keys %chosen < $wanted;
	return sort { $a <=> $b } keys %chosen;
}

# All about one point: the end comes, and what is done next makes it good.
sub try_point
{
	my ($what, $prepare, $server, %rule) = @_;
	$prepare->();
	$proxy{$server}->rule(%rule);
	my $first = run_once();
	my $fired = $proxy{$server}->fired;
	$proxy{$server}->rule;
	my $name = "$what, $rule{action} $rule{when} message $rule{nth} to the $server (" . ($fired // 'not sent') . ')';
	$name =~ s/#/No. /g;
	# A killed program has status 1009, and 0 where the last word to a server was its last act.
	my $expected = $fired && $rule{action} eq 'kill' ? ($fired =~ /^X/ ? qr/^(1009|0)$/ : qr/^1009$/) : qr/^0$/;
	my $second = run_once();
	my ($here, $there) = map { contents($_) } $t->source_conninfo, $t->destination_conninfo;
	ok($first->{status} =~ $expected && $second->{status} == 0 && $here eq $there, $name)
	  or diag("status $first->{status}, then $second->{status}\nsource $here\ndestination $there\n",
		$first->{stderr}, $second->{stderr});
}

# Every kind of end, over the points of one piece of work.
sub try_points
{
	my ($what, $prepare) = @_;
	$prepare->();
	$_->rule for values %proxy;
	is(run_once()->{status}, 0, "$what, undisturbed");
	my %count = map { $_ => $proxy{$_}->state->{count} } keys %proxy;
	note("$what: $count{source} messages to the source, $count{destination} to the destination");
	for my $server (sort keys %proxy)
	{
		for my $end ([ 'kill', 'before' ], [ 'kill', 'after' ], [ 'cut', 'before' ], [ 'cut', 'after' ])
		{
			my ($action, $when) = @$end;
			try_point($what, $prepare, $server, action => $action, when => $when, nth => $_)
			  for points($count{$server});
		}
	}
}

# The points that matter most are always among them.
sub try_commits
{
	my ($what, $prepare, $pattern) = @_;
	for my $action (qw(kill cut))
	{
		try_point($what, $prepare, 'destination', action => $action, when => $_, nth => 1, match => $pattern)
		  for qw(before after);
	}
}

my $copy = sub { forget(); };
try_commits('copy', $copy, Proxy::COMMIT);
try_points('copy', $copy);
run_once();
try_commits('stream', \&change, Proxy::COMMIT);
try_points('stream', \&change);

done_testing();
