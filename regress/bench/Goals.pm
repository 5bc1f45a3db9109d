# The goals for the figures, and what was measured.
package Goals;

use strict;
use warnings;

my @bulk = qw(insert update delete);
my @shapes = ('50 transactions', '1 transaction');

sub lowest { my ($low) = sort { $a <=> $b } grep { defined } @_; return $low; }
sub highest { my ($high) = sort { $b <=> $a } grep { defined } @_; return $high; }

# Each goal: its title, the section, a bound, a format, and the figure as a function of the
# section's results.  A bound that begins with "<" is a maximum.
my @goals = (
	['decoding, CPU of a plugin that does nothing, bulk', 'decoding', '<= 1.2', '%.2f x', sub { highest(map { $_[0]->('cpu_floor', 'sluice', $_) } @bulk) }],
	['decoding, faster than pgoutput, bulk', 'decoding', '>= 2', '%.1f x', sub { lowest(map { pgoutput_by($_[0], $_) } @bulk) }],
	['decoding, faster than pgoutput, pgbench', 'decoding', '>= 1.5', '%.1f x', sub { pgoutput_by($_[0], 'pgbench') }],
	['decoding, faster than wal2json, bulk', 'decoding', '>= 4', '%.1f x', sub { lowest(map { over($_[0], 'cpu', 'wal2json v2', $_, 'sluice', $_) } @bulk) }],
	['decoding, part of pgoutput\'s bytes', 'decoding', '<= 0.5', '%.2f', sub { highest(map { $_[0]->('bytes_pgoutput', 'sluice', $_) } @bulk, 'pgbench') }],
	['decoding, the same with lz4, repetitive rows', 'decoding', '<= 0.2', '%.2f', sub { $_[0]->('bytes_pgoutput', 'sluice, lz4', 'log lines') }],
	(map { my ($kind, $bound) = @$_; ["applying, native replication, $kind", 'applying', ">= $bound", '%.1f x', sub { my ($value) = @_; lowest(map { $value->('rate', $_, 'ratio') } $kind eq 'pgbench' ? $kind : map { "$kind, $_" } @shapes) }] } ['insert', 3], ['update', 2.5], ['delete', 3], ['pgbench', 3]),
	(map { my ($load, $bound) = @$_; ["catching up, native replication, $load", 'applying', ">= $bound", '%.1f x', sub { $_[0]->('rate', $load, 'ratio') }] }
		['insert, backlog', 2.5], ['update, backlog', 2], ['delete, backlog', 2], ['pgbench, backlog', 2.5]),
	(map { my ($load, $bound) = @$_; ["native replication, updates, $load", 'updating', ">= $bound", '%.1f x', sub { $_[0]->('updates', $load, 'native / sluice') }] }
		['four indexes, none touched', 2], ['four indexes, one touched', 1.5], ['backlog of one transaction, decoding included', 2]),
	["the engine's own best, updates", 'updating', '<= 1.2', '%.1f x', sub { my ($value) = @_; highest(map { $value->('updates', $_, 'sluice / best') } 'four indexes, none touched', 'four indexes, one touched', 'four indexes, all touched', 'hot keys') }],
	(map { my $load = $_; ["the engine's own best, $load", 'best', '<= 1.2', '%.1f x', sub { $_[0]->('best', $load, 'sluice / best') }] }
		'inserts', 'updates, key alone', 'deletes', 'upserts of 1,000 hot keys, 100 transactions', map { ("without a key, $_", "without a key, $_ of 100") } qw(delete update)),
	["growth in 20 rounds of updates, of native replication's", 'updating', '<= 1.1', '%.2f x', sub { over($_[0], 'size', 'round 20', 'sluice MB', 'round 20', 'native MB') }],
	['Greenplum, row by row, full batches', 'greenplum', '>= 100', '%.0f x', sub { my ($value) = @_; lowest(map { $value->('full', $_, 'ratio') } @bulk, 'pgbench') }],
	['Greenplum, row by row, batches of 1,000, heap', 'greenplum', '>= 25', '%.0f x', sub { thousand($_[0], sub { lowest(@_) }, 'ratio') }],
	['Greenplum, a batch of 1,000: heap of 5M to heap of 1M', 'greenplum', '<= 1.5', '%.2f', sub { my ($value) = @_; highest(map { over($value, 'ms', "$_, 1000 rows", 'heap 5M', "$_, 1000 rows", 'heap 1M') } @bulk) }],
	['Greenplum, heap of 1M, a batch of 1,000 updates, ms', 'greenplum', '<= 10', '%.1f', sub { $_[0]->('ms', 'update, 1000 rows', 'heap 1M') }],
	(map { my $kind = $_; ["Greenplum, heap, a batch of 100 without a key, $kind, seconds", 'greenplum', '<= 0.2', '%.3f', sub { $_[0]->('keyless', "$kind, a batch of 100", 'heap, s') }] } qw(delete update)),
	['initial copy, psql | psql, one pipe', 'copying', '>= 1', '%.1f x', sub { over($_[0], 'copy', 'psql COPY | psql COPY, binary, one after another', 'one large table, s', 'sluice, 1 job', 'one large table, s') }],
	(map { my $set = $_; ["initial copy, pgcopydb, four jobs, $set", 'copying', '>= 1', '%.1f x', sub { over($_[0], 'copy', 'pgcopydb clone, 4 table jobs', "$set, s", 'sluice, 4 jobs', "$set, s") }] } 'one large table', 'many small ones'),
	(map { my ($where, $column, $bound) = @$_; ["latency, $where, $column, ms", 'latency', "< $bound", '%.1f', sub { $_[0]->('latency', "$where, sluice", $column) }] }
		['PostgreSQL', 'p50', 100], ['PostgreSQL', 'p99', 1000], ['Greenplum', 'p50', 300], ['Greenplum', 'p99', 1000]),
	['memory of the applier, a transaction of any size, MB', 'memory', '< 128', '%.0f', sub { my ($value) = @_; highest(map { $value->('large', $_, 'applier MB') } 'while it is open', 'at its commit') }],
	(map { my $process = $_; ["memory of the $process, growth over 10 million changes", 'memory', '<= 1.1', '%.2f x', sub { over($_[0], 'steady', $process, 'last quarter', $process, 'first quarter') }] } qw(walsender applier)),
	['10,000 tables, seconds to the first start', 'tables', '< 60', '%.0f', sub { $_[0]->('start', 'first start, which makes and copies them', '10000 tables, s') }],
	['without a key, 100,000 of a million, PostgreSQL, seconds', 'keyless', '<= 5', '%.1f', sub { my ($value) = @_; highest(map { $value->('keyless', $_, 's') } qw(delete update)) }],
	(map { my $storage = $_; ["the same, Greenplum, $storage", 'greenplum', '<= 5', '%.1f', sub { my ($value) = @_; highest(map { $value->('keyless', $_, "$storage, s") } qw(delete update)) }] } 'heap', 'AO column'),
);

# One figure divided by another, of the same table.
sub over
{
	my ($value, $table, $row, $column, $by_row, $by_column) = @_;
	my ($this, $that) = ($value->($table, $row, $column), $value->($table, $by_row, $by_column));
	return defined $this && $that ? $this / $that : undef;
}

# pgoutput in its faster form.
sub pgoutput_by
{
	my ($value, $load) = @_;
	return lowest(map { over($value, 'cpu', "pgoutput, $_", $load, 'sluice', $load) } 'text', 'binary');
}

sub thousand
{
	my ($value, $pick, $table) = @_;
	return $pick->(map { my $kind = $_; map { $value->($table, "$kind, 1000 rows", "heap $_") } '1M', '5M' } @bulk, 'pgbench');
}

# [title, goal, figure, whether it is met] of everything that was measured.
sub lines
{
	my (%sections) = @_;
	my @lines;
	for my $goal (@goals) {
		my ($what, $section, $bound, $format, $figure) = @$goal;
		my $results = $sections{$section} or next;
		my $value = $figure->(sub { $results->value(@_) });
		next unless defined $value;
		my ($sign, $limit) = split ' ', $bound;
		my $met = $sign eq '>=' ? $value >= $limit : $sign eq '<=' ? $value <= $limit : $value < $limit;
		push @lines, [$what, $bound, sprintf($format, $value), $met ? 'yes' : '**no**'];
	}
	return @lines;
}

1;
