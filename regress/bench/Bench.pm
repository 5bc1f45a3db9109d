# Used by all sections of the benchmark: clusters, loads, measuring.
package Bench;

use strict;
use warnings;

use Exporter 'import';
use File::Path qw(make_path);
use POSIX ();
use Results;
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw($scale $rows $destination begin_section publish say_progress clusters sluice
  make_bench_table make_pgbench_tables make_copy load pgbench chunks check_equal
  tool run_tool wait_for_row awaited command_output cpu_seconds memory_kb spilled reset_peak timed best median);

our $scale = $ENV{SCALE} // 1;
our $rows = int(500_000 * $scale);

# A user's own server is for the section about Greenplum and for the latency there; all
# others make their servers themselves.
our $destination = delete $ENV{DESTINATION};

# The settings of every server: no checkpoint and no vacuum in the middle of a
# measurement, and no timeout, since processes are stopped for a long time.
my $settings = "
	max_wal_size = '16GB'
	checkpoint_timeout = '1d'
	shared_buffers = '512MB'
	autovacuum = off
	wal_sender_timeout = 0
	wal_receiver_timeout = 0
	wal_retrieve_retry_interval = '100ms'
";

my $folder = ($ENV{SLUICE_BUILD} // $SluiceTest::build) . '/bench';
my $results;
my $clusters = 0;

# Standard output goes to a log here, as in every test; this is the real one.
my $out = Test::More->builder->output;
Test::More->builder->no_ending(1);
$out->autoflush(1);

my $begun = time;
sub say_progress { print {$out} sprintf("# %4.0f s  ", time - $begun), "@_\n"; return; }

sub begin_section
{
	my ($name) = @_;
	make_path($folder);
	unlink "$folder/$name.tsv";
	$results = Results->new($name, scale => $scale);
	print {$out} "\n==== $name\n";
	return $results;
}

sub publish
{
	say_progress('done');
	$results->publish($folder, $out);
	return;
}

# A source and a destination.  Options: source and destination, more settings for
# either; destination => 0 for none.
sub clusters
{
	my (%options) = @_;
	my $without = exists $options{destination} && !$options{destination};
	my ($source, $target) = map { { name => $_ . ++$clusters, conf => $settings . ($options{$_} || '') } } qw(source destination);
	return SluiceTest->new(source => $source, destination => $without ? 0 : $target);
}

# Runs the program; a failure ends the benchmark.
sub sluice
{
	my ($t, @arguments) = @_;
	my $result = $t->sluice(@arguments, { timeout => 1800 });
	die "sluice @arguments: $result->{stderr}\n" if $result->{status} != 0;
	return $result;
}

# ---- the loads

sub make_bench_table
{
	my ($t, $name) = @_;
	$name //= 'bench';
	$t->source_sql("CREATE TABLE $name (id bigint PRIMARY KEY, customer int, amount numeric(12,2), note text, at timestamptz)");
	return;
}

sub make_pgbench_tables
{
	my ($t, $size, $schema) = @_;
	$schema //= 'public';
	local $ENV{PGOPTIONS} = "-c search_path=$schema";
	command_output('pgbench', '-i', '-q', '-s', $size // 10, $t->source_conninfo);
	$t->source_sql("ALTER TABLE $schema.pgbench_history REPLICA IDENTITY FULL");
	return;
}

# Ranges of ids that cut 1 .. count into parts.
sub chunks
{
	my ($count, $parts) = @_;
	my @ends = map { int($count * $_ / $parts) } 0 .. $parts;
	return map { [$ends[$_] + 1, $ends[$_ + 1]] } 0 .. $parts - 1;
}

# Changes a table made by make_bench_table, in so many transactions; returns the
# number of changes.
my %statement = (
	insert => sub { my ($name, $from, $to) = @_; "INSERT INTO $name SELECT i, i % 1000, i / 7.0, 'some text ' || i, now() FROM generate_series($from, $to) i" },
	update => sub { my ($name, $from, $to) = @_; "UPDATE $name SET amount = amount + 1, note = 'other text ' || id WHERE id BETWEEN $from AND $to" },
	delete => sub { my ($name, $from, $to) = @_; "DELETE FROM $name WHERE id BETWEEN $from AND $to" },
);
sub load
{
	my ($t, $kind, $count, $transactions, $name) = @_;
	$t->source_sql(join '', map { $statement{$kind}->($name // 'bench', @$_) . ";\n" } chunks($count, $transactions));
	return $count;
}

# pgbench's transactions; returns the number of changes, four each.
sub pgbench
{
	my ($t, $transactions) = @_;
	my $each = int($transactions / 4) || 1;
	local $ENV{PGOPTIONS} = '-c synchronous_commit=off';
	command_output('pgbench', '-n', '-c', '4', '-t', $each, $t->source_conninfo);
	return 16 * $each;
}

# A database of that name on the destination's server, with the source's tables, indexes and rows; its conninfo.
sub make_copy
{
	my ($t, $name) = @_;
	my $conninfo = $t->destination->connstr($name) . ' user=postgres';
	$t->destination_sql("CREATE DATABASE $name");
	command_output('bash', '-c', 'set -o pipefail; pg_dump -O -x "$1" | psql -q -v ON_ERROR_STOP=1 -d "$2" > /dev/null', 'copy', $t->source_conninfo, $conninfo);
	return $conninfo;
}

# A measurement is void if the two sides differ.  Tens of millions of
# rows are compared by the sum of a column.
sub check_equal
{
	my ($t, $name, %options) = @_;
	my $sum = $options{sum} // "('x' || substr(md5(t::text), 1, 8))::bit(32)::bigint";
	my $sql = "SELECT count(*) || ' rows, checksum ' || coalesce(sum($sum), 0) FROM ";
	my $here = $t->source_sql("$sql $name t");
	my $there = SluiceTest::psql($options{conninfo} // $t->destination_conninfo, $sql . ($options{target} // $name) . ' t');
	die "$name differs: source $here, destination $there\n" if $here ne $there;
	return;
}

# ---- tools

sub command_output
{
	my (@command) = @_;
	my $result = SluiceTest::command(\@command, { timeout => 1800 });
	die "@command[0 .. 1] failed: $result->{stderr}\n" if $result->{status} != 0;
	return $result->{stdout};
}

# The path of one of the C programs beside this file, which it builds.
sub tool
{
	my ($name) = @_;
	my $path = "$folder/$name";
	my $source = "$SluiceTest::top/regress/bench/$name.c";
	return $path if -e $path && -M $path < -M $source;
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	chomp(my ($include, $lib) = map { `$pg_config $_` } qw(--includedir --libdir));
	command_output('cc', '-O2', '-g', '-D_GNU_SOURCE', "-I$include", '-o', $path, $source, "-L$lib", '-lpq');
	return $path;
}

# Runs one of them; returns the "name value" lines that it prints, and the samples.
sub run_tool
{
	my ($name, @arguments) = @_;
	my %value;
	for (split /\n/, command_output(tool($name), @arguments)) {
		my ($key, $value) = split ' ';
		if ($key eq 'sample') { push @{ $value{samples} }, $value; }
		else { $value{$key} = $value; }
	}
	return \%value;
}

# Begins to wait for a row of the table "marker" to be visible in a database;
# awaited() gives the time at which it was.
sub wait_for_row
{
	my ($conninfo, $id, $seconds) = @_;
	my $sql = "SELECT id FROM marker WHERE id = $id AND id > \$1";
	open my $pipe, '-|', tool('watch'), $conninfo, 3, 1, $seconds // 900, $sql or die "watch: $!\n";
	my $ready = <$pipe> // '';
	die "watch failed\n" unless $ready =~ /ready/;
	return $pipe;
}

sub awaited
{
	my ($pipe) = @_;
	my $line = <$pipe>;
	close $pipe;
	die "the change did not arrive\n" unless defined $line;
	return (split /\t/, $line)[0];
}

# ---- processes

# The CPU time of processes, in seconds.
sub cpu_seconds
{
	my $sum = 0;
	for my $pid (@_) {
		open my $file, '<', "/proc/$pid/schedstat" or next;
		my ($ns) = split ' ', <$file> // '0';
		$sum += $ns / 1e9;
	}
	return $sum;
}

# A line of /proc/PID/status: RssAnon is what is a process's own, VmHWM the peak
# of what it has in memory.
sub memory_kb
{
	my ($pid, $name) = @_;
	open my $file, '<', "/proc/$pid/status" or return 0;
	for (<$file>) { return $1 if /^$name:\s*(\d+) kB/; }
	return 0;
}

# What the program has in its spill folder, where files have no names: their number and their bytes.
sub spilled
{
	my ($pid, $folder) = @_;
	my ($files, $bytes) = (0, 0);
	for my $file (glob "/proc/$pid/fd/*") {
		my $target = readlink $file or next;
		next unless $target =~ m{^\Q$folder\E/.* \(deleted\)$};
		$files++;
		$bytes += (stat $file)[7] // 0;
	}
	return ($files, $bytes);
}

sub reset_peak
{
	my ($pid) = @_;
	open my $file, '>', "/proc/$pid/clear_refs" or return;
	print {$file} "5\n";
	close $file;
	return;
}

sub timed
{
	my ($what) = @_;
	my $start = time;
	$what->();
	return time - $start;
}

sub best { my ($best) = sort { $a <=> $b } @_; return $best; }
sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[$#sorted / 2]; }

1;
