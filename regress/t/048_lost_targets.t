#!/usr/bin/perl
# Targets that others drop, replace or empty while no daemon runs: nothing is taken for what it is not, and what is lost
# is copied again; what only rewrites a target changes nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
my @tables = qw(public.a public.b);

$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text);
	CREATE TABLE b (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
	INSERT INTO b SELECT i, 'row ' || i FROM generate_series(1, 10) i;
});
$t->configure;
$t->run_ok('run', '--until', 'current');
my $next = 2000;

sub change { $next++; $t->source_sql("INSERT INTO a VALUES ($next, 'more'); INSERT INTO b VALUES ($next, 'more')"); }

sub check_says
{
	my ($pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	like($t->run_ok('check')->{stdout}, qr/^warning +target +public\.a: $pattern/m, "$name: check says so");
}

sub copied_again_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	change();
	my $run = $t->run_ok('run', '--until', 'current');
	like($run->{stderr}, qr/copied public\.a:/, "$name: copied again");
	unlike($run->{stderr}, qr/copied public\.b:/, "$name: the other is not");
	$t->all_equal_ok(@tables);
}

sub goes_on_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	unlike($t->run_ok('check')->{stdout}, qr/^warning +target/m, "$name: check has nothing to say");
	my $run = $t->run_ok('run', '--until', 'current');
	unlike($run->{stderr}, qr/copied|again/, "$name: nothing is copied");
	$t->all_equal_ok(@tables);
}

subtest 'dropped' => sub {
	$t->destination_sql('DROP TABLE a');
	check_says(qr/it is gone, with the rows/, 'dropped');
	copied_again_ok('dropped');
};

subtest 'replaced' => sub {
	$t->destination_sql('DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text)');
	check_says(qr/another table has its name now/, 'by an empty one');
	copied_again_ok('by an empty one');

	$t->destination_sql(q{DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'of others')});
	change();
	my $failed = $t->fails_like([ 'run', '--until', 'current' ], 1,
		qr/public\.a is held: its target was replaced by another table, which is not empty/, 'by one with rows');
	is($t->destination_sql('SELECT v FROM a'), 'of others', 'by one with rows: they stay');
	$t->equal_ok('public.b');
	change();
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a is held: its target was replaced/, 'by one with rows, again');
	$t->run_ok('table', 'resync', 'public.a');
	copied_again_ok('by one with rows, as the remedy says');

	$t->configure({ initial_copy => { existing => 'clear' } });
	$t->destination_sql(q{DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (1, 'of others')});
	copied_again_ok('by one with rows that may be cleared');
	$t->configure;
};

subtest 'emptied' => sub {
	$t->destination_sql('TRUNCATE a');
	check_says(qr/it was emptied by others/, 'by TRUNCATE');
	copied_again_ok('by TRUNCATE');

	$t->configure({ tables => { overrides => [ { source => 'public.a', rows_may_be_absent => JSON::PP::true } ] } });
	$t->destination_sql('TRUNCATE a');
	change();
	unlike($t->run_ok('run', '--until', 'current')->{stderr}, qr/copied/, 'on purpose: not copied again');
	is($t->destination_sql('SELECT count(*) FROM a'), 1, 'on purpose: what comes is there');
	$t->configure;
};

subtest 'a TRUNCATE that is followed' => sub {
	$t->source_sql('TRUNCATE a');
	$t->run_ok('run', '--until', 'current');
	# Now the target is empty in another file, and the source is ahead.
	change();
	goes_on_ok('truncated and filled');
	$t->source_sql(q{TRUNCATE a, b; INSERT INTO b VALUES (1, 'b')});
	change();
	goes_on_ok('two at once');
};

subtest 'rewritten' => sub {
	$t->destination_sql('VACUUM FULL a');
	change();
	goes_on_ok('VACUUM FULL');
	$t->destination_sql('CLUSTER a USING a_pkey') unless $greenplum;
	change();
	goes_on_ok('CLUSTER');
	$t->source_sql('DELETE FROM a');
	$t->run_ok('run', '--until', 'current');
	$t->destination_sql('VACUUM FULL a');
	goes_on_ok('VACUUM FULL of an empty one');
	$t->source_sql('ALTER TABLE a ALTER v TYPE varchar(50)');
	$t->run_ok('run', '--until', 'current');
	change();
	goes_on_ok('ALTER TYPE');
};

subtest 'without an initial copy' => sub {
	$t->configure({ initial_copy => { mode => 'none' } });
	$t->destination_sql('DROP TABLE a');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a is held: its target is gone from the destination, and initial_copy\.mode is none/, 'dropped');
	$t->configure;
	$t->run_ok('table', 'resync', 'public.a');
	copied_again_ok('with one');
};

subtest 'where targets are not made' => sub {
	$t->configure({ schema => { create => JSON::PP::false } });
	$t->destination_sql('ALTER TABLE a RENAME TO elsewhere');
	change();
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a is held: its target is gone from the destination, and schema\.create is false/, 'dropped');
	$t->equal_ok('public.b');
	$t->destination_sql('CREATE TABLE a (id int PRIMARY KEY, v varchar(50))');
	$t->run_ok('table', 'resync', 'public.a');
	copied_again_ok('made by hand');
};

subtest 'while it runs' => sub {
	$t->configure;
	$t->start;
	$t->wait_applied_ok;
	for my $case ([ 'dropped', 'DROP TABLE a', q{INSERT INTO a VALUES (5000, 'after')} ], [ 'emptied', 'TRUNCATE a', 'DELETE FROM a WHERE id = 5000' ])
	{
		my ($name, $there, $here) = @$case;
		my $copies = () = $t->log =~ /copied public\.a:/g;
		$t->destination_sql($there);
		$t->source_sql("$here; INSERT INTO b VALUES (" . ++$next . ", 'more')");
		$t->poll_ok(sub { (() = $t->log =~ /copied public\.a:/g) > $copies }, "$name: copied again");
		$t->wait_applied_ok("$name: it goes on");
		$t->equal_ok($_, wait => 30) for @tables;
	}
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

done_testing();
