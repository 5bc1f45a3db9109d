# The figures of one section of the benchmark: tables with rows, columns and
# notes.  They are printed, and kept in build/bench/SECTION.tsv, from which the
# report and the charts are made:
#
#	section  NAME  SCALE  DATE  MACHINE
#	table    KEY   TITLE
#	column   KEY   NAME
#	cell     KEY   ROW   COLUMN  VALUE  TEXT
#	note     KEY   TEXT
package Results;

use strict;
use warnings;

use POSIX ();

sub new
{
	my ($class, $section, %options) = @_;
	return bless { section => $section, scale => $options{scale}, date => POSIX::strftime('%Y-%m-%d %H:%M', gmtime), machine => _machine(), tables => [] }, $class;
}

sub _machine
{
	my ($cores, $model) = (0, 'unknown processor');
	open my $file, '<', '/proc/cpuinfo' or return '';
	while (my $line = <$file>) {
		$cores++ if $line =~ /^processor\s/;
		$model = $1 if $line =~ /^model name\s*:\s*(.*)/;
	}
	open $file, '<', '/proc/meminfo' or return '';
	my ($kb) = join('', <$file>) =~ /MemTotal:\s*(\d+)/;
	return sprintf '%d cores of %s, %.0f GB', $cores, $model, $kb / 2**20;
}

# Begins a table; the first column's head is the first name.
sub table
{
	my ($self, $key, $title, @columns) = @_;
	push @{ $self->{tables} }, { key => $key, title => $title, columns => \@columns, rows => [], cells => {}, notes => [] };
	return;
}

sub find
{
	my ($self, $key) = @_;
	my ($table) = grep { $_->{key} eq $key } @{ $self->{tables} };
	return $table;
}

# A figure and how it is written; rows come in the order of their first figures.
sub set
{
	my ($self, $key, $row, $column, $value, $format) = @_;
	my $table = $self->find($key) or die "no table $key\n";
	my $text = !defined $format ? $value : ref $format ? $format->($value) : sprintf $format, $value;
	push @{ $table->{rows} }, $row unless $table->{cells}{$row};
	$table->{cells}{$row}{$column} = [$value, $text];
	return;
}

# A format for large whole numbers.
sub commas
{
	my $digits = reverse sprintf '%.0f', $_[0];
	$digits =~ s/(\d{3})(?=\d)/$1,/g;
	return scalar reverse $digits;
}

sub value
{
	my ($self, $key, $row, $column) = @_;
	my $table = $self->find($key) or return undef;
	my $cell = ($table->{cells}{$row} // {})->{$column} or return undef;
	return $cell->[0];
}

sub note
{
	my ($self, $key, $text) = @_;
	push @{ $self->find($key)->{notes} }, $text;
	return;
}

# Lists of texts, the head first.
sub lines
{
	my ($table) = @_;
	my ($head, @columns) = @{ $table->{columns} };
	my @lines = ([$head, @columns]);
	for my $row (@{ $table->{rows} }) {
		push @lines, [$row, map { my $cell = $table->{cells}{$row}{$_}; $cell ? $cell->[1] : '' } @columns];
	}
	return @lines;
}

sub print_table
{
	my ($table, $out) = @_;
	my @lines = lines($table);
	my @width;
	for my $line (@lines) {
		for my $i (0 .. $#$line) {
			$width[$i] = length $line->[$i] if ($width[$i] // -1) < length $line->[$i];
		}
	}
	print {$out} "\n$table->{title}\n\n";
	for my $line (@lines) {
		my $text = join '   ', map { sprintf $_ ? "%*s" : "%-*s", $width[$_], $line->[$_] } 0 .. $#$line;
		print {$out} $text =~ s/ +$//r, "\n";
	}
	print {$out} "# $_\n" for @{ $table->{notes} };
	return;
}

sub markdown
{
	my ($table) = @_;
	my ($head, @lines) = lines($table);
	my $row = sub { '| ' . join(' | ', map { s/([|_*])/\\$1/gr } @_) . " |\n" };
	return "**$table->{title}**\n\n" . $row->(@$head) . '|' . join('|', ' --- ', map { ' ---: ' } 2 .. @$head) . "|\n"
	  . join('', map { $row->(@$_) } @lines) . join('', map { "\n$_.\n" } @{ $table->{notes} }) . "\n";
}

# Prints and keeps them.
sub publish
{
	my ($self, $folder, $out) = @_;
	print_table($_, $out) for @{ $self->{tables} };
	my $path = "$folder/$self->{section}.tsv";
	open my $file, '>', $path or die "cannot write $path: $!\n";
	my $line = sub { print {$file} join("\t", map { s/[\t\n]/ /gr } @_), "\n"; };
	$line->('section', @$self{qw(section scale date machine)});
	for my $table (@{ $self->{tables} }) {
		my $key = $table->{key};
		$line->('table', $key, $table->{title});
		$line->('column', $key, $_) for @{ $table->{columns} };
		for my $row (@{ $table->{rows} }) {
			for my $column (grep { $table->{cells}{$row}{$_} } @{ $table->{columns} }) {
				$line->('cell', $key, $row, $column, @{ $table->{cells}{$row}{$column} });
			}
		}
		$line->('note', $key, $_) for @{ $table->{notes} };
	}
	close $file or die "cannot write $path: $!\n";
	return;
}

# Reads what publish() has kept.
sub load
{
	my ($class, $path) = @_;
	my $self = bless { tables => [] }, $class;
	open my $file, '<', $path or die "cannot read $path: $!\n";
	while (my $line = <$file>) {
		chomp $line;
		my ($what, $key, @rest) = split /\t/, $line, -1;
		if ($what eq 'section') { @$self{qw(section scale date machine)} = ($key, @rest); }
		elsif ($what eq 'table') { $self->table($key, $rest[0]); }
		elsif ($what eq 'column') { push @{ $self->find($key)->{columns} }, $rest[0]; }
		elsif ($what eq 'note') { $self->note($key, $rest[0]); }
		elsif ($what eq 'cell') {
			my $text = $rest[3];
			$self->set($key, $rest[0], $rest[1], $rest[2], sub { $text });
		}
	}
	return $self;
}

1;
