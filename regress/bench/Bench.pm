# What the sections of the benchmark share: loads for the source and tables of figures.
package Bench;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use SluiceTest;
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(sluice $scale $rows @loads %load make_source_tables print_table timed cpu_seconds $server_conf);

our $scale = $ENV{SCALE} // 1;
our $rows = int(500_000 * $scale);
our $server_conf = "max_wal_size = '8GB'\nshared_buffers = '512MB'\n";

my $ticks = POSIX::sysconf(&POSIX::_SC_CLK_TCK);

# Standard output goes to a log here, as in every test; this is the real one.
my $out = Test::More->builder->output;
Test::More->builder->no_ending(1);

sub _say_line { print {$out} "@_\n"; return; }

# Runs the program; a failure ends the benchmark.
sub sluice
{
	my ($t, @arguments) = @_;
	my $result = $t->sluice(@arguments);
	die "sluice @arguments: $result->{stderr}\n" if $result->{status} != 0;
	return;
}

# Rows of a table, columns aligned; the first row is the head.
sub print_table
{
	my @table = @_;
	my @width;
	for my $row (@table) {
		for my $i (0 .. $#$row) {
			my $len = length $row->[$i];
			$width[$i] = $len if !defined $width[$i] || $len > $width[$i];
		}
	}
	for my $row (@table) {
		_say_line(join '  ', map { $_ ? sprintf("%*s", $width[$_], $row->[$_]) : sprintf("%-*s", $width[0], $row->[0]) } 0 .. $#$row);
	}
	_say_line('');
	return;
}

# ---- the loads: name => [changes, SQL or a pgbench call]

my $pgbench_transactions = int(15_000 * $scale);
our %load = (
	insert => sub { $_[0]->source_sql("INSERT INTO bench SELECT i, i % 1000, i / 7.0, 'some text ' || i, now() FROM generate_series(1, $rows) i"); return $rows; },
	update => sub { $_[0]->source_sql("UPDATE bench SET amount = amount + 1, note = 'other text ' || id"); return $rows; },
	delete => sub { $_[0]->source_sql("DELETE FROM bench WHERE id % 2 = 0"); return int($rows / 2); },
	pgbench => sub {
		my ($t) = @_;
		system("pgbench -n -c 4 -t @{[int($pgbench_transactions / 4)]} '" . $t->source_conninfo . "' > /dev/null 2>&1") == 0 or die "pgbench failed\n";
		return 4 * $pgbench_transactions;
	},
);
our @loads = qw(insert update delete pgbench);

sub make_source_tables
{
	my ($t) = @_;
	$t->source_sql('CREATE TABLE bench (id bigint PRIMARY KEY, customer int, amount numeric(12,2), note text, at timestamptz)');
	system("pgbench -i -q -s 10 '" . $t->source_conninfo . "' > /dev/null 2>&1") == 0 or die "pgbench -i failed\n";
	$t->source_sql('ALTER TABLE pgbench_history REPLICA IDENTITY FULL');
	return;
}

sub cpu_seconds
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or return 0;
	my @field = split ' ', (<$stat> =~ s/^.*\) //r);
	return ($field[11] + $field[12]) / $ticks;
}

sub timed
{
	my ($what) = @_;
	my $start = time;
	$what->();
	return time - $start;
}

1;
