#!/usr/bin/perl
# Rows that are larger than apply.memory: the program holds at most three times
# such a row, however it comes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

plan skip_all => 'sanitizers need memory of their own' if $SluiceTest::build =~ /-asan$/;

my $mb = $ENV{LARGE_ROW_MB} // 40;
my $t = SluiceTest->new(source => { conf => 'logical_decoding_work_mem = 1GB' });

$t->source_sql(q{
	CREATE TABLE t (id int PRIMARY KEY, v bytea);
	ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
	CREATE SCHEMA beside;
	CREATE TABLE beside.noise (n bytea);
	INSERT INTO beside.noise SELECT string_agg(decode(md5(i::text), 'hex'), '') FROM generate_series(1, 65536) i;
});
$t->configure({ apply => { memory => '16MB' } });
$t->run_ok('run', '--until', 'current');

# Bytes that cannot be compressed, so many megabytes of them.
sub noise { my ($n) = @_; return "(SELECT string_agg(n || int4send(i), '') FROM beside.noise, generate_series(1, $n) i)"; }

# In kB, the most that the running program has had.
sub peak_kb
{
	open my $file, '<', "/proc/$t->{pid}/status" or die "no process: $!";
	my ($kb) = join('', <$file>) =~ /^VmHWM:\s+(\d+) kB/m;
	return $kb;
}

sub bounded_ok
{
	my ($name, $sql, $rows_mb) = @_;
	$t->start;
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	my $peak_mb = int(peak_kb() / 1024);
	cmp_ok($peak_mb, '<=', 3 * $rows_mb + 24, "$name: at most three times its $rows_mb MB, and what the program takes by itself");
	diag("$name: $peak_mb MB for $rows_mb MB") if $ENV{LARGE_ROW_MB};
	is($t->stop, 0, "$name: stopped");
}

for my $streamed (0, 1)
{
	my $how = $streamed ? 'while its transaction is open' : 'at its commit';
	if ($streamed)
	{
		$t->source_sql("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
		$t->source->reload;
	}
	bounded_ok("a row, $how", $streamed ? "UPDATE t SET v = " . noise($mb) . " WHERE id = 1"
		: "INSERT INTO t SELECT 1, " . noise($mb), $mb);
	bounded_ok("two rows, $how", "BEGIN; INSERT INTO t SELECT 2 + $streamed * 10, " . noise($mb * 3 / 4) .
		"; INSERT INTO t SELECT 3 + $streamed * 10, " . noise($mb) . '; COMMIT', $mb);
}
my $sums = "SELECT string_agg(id || md5(v), ' ' ORDER BY id) FROM t";
is($t->destination_sql($sums), $t->source_sql($sums), 'the rows arrived whole');
done_testing();
