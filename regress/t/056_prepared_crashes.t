#!/usr/bin/perl
# Servers that crash between PREPARE TRANSACTION and its end: the source, the destination, and both at once.  The daemon
# lives through it, and what is committed in the end arrives once, small or large; what is rolled back does not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it crashes the destination');

my $t = SluiceTest->new(source => { conf => "max_prepared_transactions = 10\nlogical_decoding_work_mem = 64kB" });
my @tables = ('public.a', 'public.b');
$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
	INSERT INTO a SELECT i, 'v' FROM generate_series(1, 100) i});
$t->configure;
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the tables are copied');

my $round = 0;
for my $who ([ 'the source', $t->source ], [ 'the destination', $t->destination ], [ 'both', $t->source, $t->destination ])
{
	my ($name, @servers) = @$who;
	my $from = 100_000 * ++$round;
	my %rows = (small => 3, large => 5000);
	for my $size (sort keys %rows)
	{
		for my $end (qw(commit rollback))
		{
			my ($start, $id) = ($from += 10_000, 10 * $round + ($size eq 'small') + 2 * ($end eq 'commit'));
			$t->source_sql(qq{BEGIN; SAVEPOINT s; INSERT INTO b SELECT i, repeat('undone', 20) FROM generate_series($start, $start + $rows{$size}) i; ROLLBACK TO s;
				UPDATE a SET v = '$name, $end' WHERE id = $id; INSERT INTO b SELECT i, repeat('$end', 20) FROM generate_series($start, $start + $rows{$size}) i;
				PREPARE TRANSACTION '$size $end'});
		}
	}
	$t->source_sql("UPDATE a SET v = 'meanwhile, $name' WHERE id = 99");
	$_->stop('immediate') for @servers;
	$_->start for @servers;
	$t->source_sql("UPDATE a SET v = 'again, $name' WHERE id = 98");
	$t->wait_applied_ok("$name crashed: the others do not wait for what is prepared");
	$t->source_sql("COMMIT PREPARED '$_ commit'; ROLLBACK PREPARED '$_ rollback'") for sort keys %rows;
	$t->wait_applied_ok("$name crashed: the end is known");
	$t->all_equal_ok(@tables);
	is($t->destination_sql('SELECT count(*) FROM b'), $round * 5005, "$name crashed: what was committed is there, once");
}
ok($t->running, 'the daemon lived through it all');
is($t->stop, 0, 'it stops');

done_testing();
