#!/usr/bin/perl
# Many tables, all of them in one transaction, few rows and many each; after
# thousands of transactions and changed definitions the program has not grown.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $count = 120;
my $t = SluiceTest->new(source => { conf => 'max_locks_per_transaction = 512' });

# What each table is told: %s is its name.
sub each_table
{
	my ($statement, $last) = @_;
	$last //= $count;
	return "DO \$\$ BEGIN FOR i IN 1..$last LOOP EXECUTE format(\$x\$$statement\$x\$, 'many.t' || i); END LOOP; END \$\$;";
}

$t->source_sql('CREATE SCHEMA many;'
	. each_table('CREATE TABLE %1$s (id int PRIMARY KEY, v text, n int);'
		. q{INSERT INTO %1$s SELECT i, 'row ' || i, i FROM generate_series(1, 700) i}));
my @tables = map { "many.t$_" } 1 .. $count;
$t->configure({ tables => { include => ['many.*'] } });
$t->run_ok('check');
$t->run_ok('run', '--until', 'current');
$t->start;
is(scalar(grep { $_->{state} eq 'streaming' } @{ $t->status->{tables} }), $count, 'status names them all');

sub all_the_same
{
	my ($what) = @_;
	$t->wait_applied_ok($what);
	my $sums = join ' UNION ALL ', map { "SELECT '$_', count(*), sum(id), sum(n), md5(string_agg(v, ',' ORDER BY id)) FROM $_" } @tables;
	is($t->destination_sql("$sums ORDER BY 1"), $t->source_sql("$sums ORDER BY 1"), "$what: all are equal");
}

$t->source_sql(each_table(q{INSERT INTO %1$s VALUES (10001, NULL, 1), (10002, '', 2); UPDATE %1$s SET v = 'new' WHERE id = 7; DELETE FROM %1$s WHERE id = 8}));
all_the_same('a few rows of each table');
$t->source_sql(each_table('UPDATE %1$s SET n = n + 1; DELETE FROM %1$s WHERE id %% 3 = 0; INSERT INTO %1$s SELECT i, i, i FROM generate_series(20000, 20010) i', 40));
all_the_same('many rows of many tables');
$t->source_sql(each_table('UPDATE %1$s SET n = n + 2', 30));
all_the_same('once more');
cmp_ok($t->destination_sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'sluice_keys_%'"), '<=', 16, 'few staging tables are kept');

# ---- memory

sub kilobytes
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/status" or die "no process $pid\n";
	my ($kb) = join('', <$file>) =~ /^RssAnon:\s+(\d+)/m;
	return $kb;
}

# Small transactions with subtransactions that are kept and rolled back, and a
# table whose identity changes to and fro and is described each time.
sub busy
{
	my ($n) = @_;
	$t->source_sql(join '', map {
		my $table = $tables[$_ % $count];
		my $identity = $_ % 2 ? 'FULL' : 'DEFAULT';
		"BEGIN; UPDATE $table SET n = n + 1 WHERE id = 1; SAVEPOINT s; DELETE FROM $table WHERE id = 2; ROLLBACK TO s;
		SAVEPOINT s; UPDATE $table SET v = 'subtransaction $_' WHERE id = 2; RELEASE s; COMMIT;"
		. ($_ % 10 ? '' : "ALTER TABLE many.t1 REPLICA IDENTITY $identity; UPDATE many.t1 SET n = n + 1 WHERE id = 4;")
	} 1 .. $n);
	$t->wait_applied_ok("$n transactions");
}

my $walsender = $t->source_sql('SELECT active_pid FROM pg_replication_slots WHERE active');
busy(1500);
my @before = (kilobytes($t->{pid}), kilobytes($walsender));
busy(3000);
my @after = (kilobytes($t->{pid}), kilobytes($walsender));
note("program: $before[0] kB, then $after[0] kB; walsender: $before[1] kB, then $after[1] kB");
SKIP:
{
	skip 'sanitizers keep what was freed', 2 if SluiceTest::sanitized();
	cmp_ok($after[0] - $before[0], '<', 2048, 'the program has not grown');
	cmp_ok($after[1] - $before[1], '<', 2048, 'nor has the walsender');
}
all_the_same('all of that');
is($t->stop, 0, 'the run ends');

# ---- a single row that the target refuses is told as those of a COPY are

$t->destination_sql('ALTER TABLE many.t5 ADD CHECK (n < 100000)');
$t->source_sql("UPDATE many.t4 SET n = 5; INSERT INTO many.t5 VALUES (-1, 'too large', 100000)");
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/many\.t5.*(check constraint|column n)/, 'a value that the target refuses');
$t->destination_sql('ALTER TABLE many.t5 DROP CONSTRAINT t5_n_check');
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok('many.t4', 'many.t5');
done_testing();
