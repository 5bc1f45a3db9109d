#!/usr/bin/perl
# Transactions much larger than the memory given, in rounds, among small ones
# over two tables: a reader of the destination sees whole transactions at every
# moment, through SIGKILLs in the middle of a round too, and memory stays bounded.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $rows = SluiceTest::sanitized() ? 30000 : 80000;
my $memory_mb = 16;

my $t = SluiceTest->new;

# What either holds, both together hold always; `stock` has no key and counts.
$t->source_sql(q{
	CREATE TABLE debit (id int PRIMARY KEY, v bigint NOT NULL, filler text);
	CREATE TABLE credit (id int PRIMARY KEY, v bigint NOT NULL, filler text);
	CREATE TABLE stock (v int, t text);
	ALTER TABLE stock REPLICA IDENTITY FULL;
	INSERT INTO debit SELECT i, 0, NULL FROM generate_series(1, 1000) i;
	INSERT INTO credit SELECT i, 0, NULL FROM generate_series(1, 1000) i;
});
$t->configure({ apply => { memory => "${memory_mb}MB", max_bytes => '1MB' } });
$t->run_ok('run', '--until', 'current');

my ($looks, $wrong, $between) = (0, 0, 0);
sub look
{
	my ($failed, $seen) = SluiceTest::psql_try($t->destination_conninfo,
		'SELECT (SELECT sum(v) FROM debit) + (SELECT sum(v) FROM credit), (SELECT count(*) FROM debit) -'
		. ' (SELECT count(*) FROM credit), (SELECT coalesce(sum(v), 0) FROM stock), (SELECT count(*) FROM debit)');
	return if $failed;
	my ($sum, $difference, $stock, $count) = split /\|/, $seen;
	$looks++;
	if ($sum || $difference || $stock) { $wrong++; diag("a reader saw $seen"); }
	$between++ if $count > 1000;
}

sub small
{
	my ($n) = @_;
	$t->source_sql(join '', map {
		my $id = 1 + int rand 1000;
		"BEGIN; UPDATE debit SET v = v - $_ WHERE id = $id; INSERT INTO stock VALUES ($_, 'in'), (-$_, NULL);
		UPDATE credit SET v = v + $_ WHERE id IN (1001 - $id, $id - 1001);
		DELETE FROM stock WHERE ctid IN (SELECT min(ctid) FROM stock WHERE v IN ($_ - 3, 3 - $_) GROUP BY v);
		COMMIT;"
	} 1 .. $n);
}

# Each touches both tables and lasts for many rounds.
my @large = (
	"INSERT INTO debit SELECT i, i, repeat('x', 200) FROM generate_series(1001, $rows) i;
	INSERT INTO credit SELECT i, -i, repeat('y', 200) FROM generate_series(1001, $rows) i;",
	"UPDATE debit SET v = v + 1; SAVEPOINT s; UPDATE debit SET v = v + 1000; ROLLBACK TO s;
	UPDATE credit SET v = v - 1;",
	"UPDATE credit SET id = -id, v = v + 7; UPDATE debit SET v = v - 7;
	INSERT INTO stock SELECT i % 3 - 1, 'many' FROM generate_series(1, 30000) i;",
	"DELETE FROM debit WHERE id > 1000; DELETE FROM credit WHERE id < -1000;
	DELETE FROM stock WHERE t = 'many'; UPDATE credit SET v = 1; UPDATE debit SET v = -1;");

my ($in_rounds, $peak_kb) = (0, 0);
sub peak
{
	return unless $t->{pid} && open my $file, '<', "/proc/$t->{pid}/status";
	my ($kb) = join('', <$file>) =~ /^VmHWM:\s+(\d+)/m;
	$peak_kb = $kb if $kb && $kb > $peak_kb;
}

# Whether the destination is inside of a transaction of more than a moment.
sub in_round
{
	my ($failed, $in) = SluiceTest::psql_try($t->destination_conninfo,
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'sluice'
			AND xact_start < clock_timestamp() - interval '0.2 s'");
	return !$failed && $in eq 't';
}

$t->start;
for my $transaction (@large)
{
	small(20);
	$t->source_sql("BEGIN; $transaction COMMIT;");
	small(20);
	my $lsn = $t->source_sql("SELECT pg_logical_emit_message(true, 'sluice_test', '')");
	my $killed = 0;
	$t->poll_ok(sub {
		look();
		peak();
		if (!$killed && in_round())
		{
			$killed = 1;
			$in_rounds++;
			$t->kill9;
			look();
			$t->start;
		}
		$t->_applied($lsn);
	}, 'a large transaction is applied');
}
peak();
# A program that has only just been started does not catch signals yet.
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
is($t->stop, 0, 'SIGTERM ends it');
note("$looks looks, $between of them with the large rows there; $in_rounds kills inside of a large transaction;"
	. " the program took up to $peak_kb kB");
cmp_ok($looks, '>', 10, 'there was somebody to look');
is($wrong, 0, 'and he saw whole transactions only');
cmp_ok($in_rounds, '>', 0, 'some kills met a round');
SKIP:
{
	skip 'sanitizers take memory of their own', 1 if SluiceTest::sanitized();
	cmp_ok($peak_kb, '<', ($memory_mb + 64) * 1024, 'memory stays below apply.memory and 64 MB');
}
$t->all_equal_ok('public.debit', 'public.credit', 'public.stock');

done_testing();
