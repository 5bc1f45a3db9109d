#!/usr/bin/perl
# sluice compare finds exactly the rows that differ: random tables, random rows,
# and random differences made at the destination.  SEED repeats a run.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use JSON::PP;
use List::Util qw(shuffle);
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

# A value of each type out of the number N; keys differ where N does.
my %keys = (
	'int' => 'N', 'text' => q{'k' || N % 10 || ' ' || N}, 'text COLLATE en' => q{CASE WHEN N % 2 = 0 THEN 'Ka-' ELSE 'kä_' END || N},
	'char(9)' => q{'c' || N}, 'numeric' => q{(N || CASE WHEN N % 2 = 0 THEN '.00' ELSE '' END)::numeric}, 'float8' => 'N / 8.0',
	'uuid' => 'md5(N::text)::uuid', 'bytea' => q{decode(lpad(to_hex(N), 8, '0'), 'hex')}, 'timestamptz' => q{'2000-01-01'::timestamptz + N * interval '1 h'},
);
my %values = (
	'text' => q{CASE N % 3 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE E'a\\t"' || N END}, 'char(6)' => q{NULLIF('c' || N % 50, 'c7')},
	'float8' => q{CASE N % 4 WHEN 0 THEN 'NaN' WHEN 1 THEN '-0' ELSE N / 7.0 END}, 'numeric' => q{CASE N % 3 WHEN 0 THEN 'NaN' ELSE N / 9.0 END},
	'timestamptz' => q{CASE N % 3 WHEN 0 THEN 'infinity' ELSE '2020-01-01'::timestamptz + N * interval '1 s' END}, 'boolean' => 'N % 2 = 0',
	'xml' => q{('<a>' || N || '</a>')::xml}, 'json' => q{('{"b":  ' || N || '}')::json}, 'bytea' => q{decode(md5(N::text), 'hex')},
	'float8[]' => q{ARRAY[N / 3.0, NULL]}, 'int[]' => q{CASE N % 2 WHEN 0 THEN '{}' ELSE ARRAY[N, NULL] END}, 'point' => 'point(N / 3.0, -N)',
);
sub pick { return $_[ rand @_ ]; }
sub of { my ($expression, $number) = @_; return $expression =~ s/\bN\b/($number)/gr; }

my @tables = map {
	my @columns = map { { name => "v$_", type => pick(sort keys %values) } } 1 .. 1 + rand 5;
	my $key = $_ % 4 ? pick(sort keys %keys) : undef;
	{ name => "t$_", key => $key, columns => \@columns, modulus => pick(5, 1000) }
} 1 .. 8;

sub insert
{
	my ($table, $from, $to) = @_;
	my $number = $table->{key} ? 'i' : "i % $table->{modulus}"; # without a key rows are alike
	my @expressions = ($table->{key} ? of($keys{ $table->{key} }, 'i') : (), map { of($values{ $_->{type} }, $number) } @{ $table->{columns} });
	return "INSERT INTO $table->{name} SELECT " . join(', ', @expressions) . " FROM generate_series($from, $to) i;";
}

$t->source_sql(q{CREATE COLLATION en (provider = icu, locale = 'en-US')});
for my $table (@tables)
{
	my @definitions = ($table->{key} ? "k $table->{key} PRIMARY KEY" : (), map { "$_->{name} $_->{type}" } @{ $table->{columns} });
	$t->source_sql("CREATE TABLE $table->{name} (" . join(', ', @definitions) . "); ALTER TABLE $table->{name} REPLICA IDENTITY FULL;" . insert($table, 1, 100 + int rand 900));
}
$t->configure;
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the copy failed';
$t->run_ok('compare');

# ---- differences

my $row = $t->destination_is_greenplum ? 'gp_segment_id, ctid' : 'tableoid, ctid';
for my $table (@tables)
{
	my $some = sub { "WHERE ($row) IN (SELECT $row FROM $table->{name} ORDER BY random() LIMIT $_[0])" };
	my $column = pick(@{ $table->{columns} });
	my @changes = (
		"DELETE FROM $table->{name} " . $some->(1 + int rand 5), insert($table, 5000, 5000 + int rand 5),
		"UPDATE $table->{name} SET $column->{name} = " . of($values{ $column->{type} }, int rand 1000) . ' ' . $some->(1 + int rand 5),
	);
	$t->destination_sql(join ';', grep { rand() < 0.6 } shuffle(@changes));
}

# key => { digest of the row => how many more the source has }
sub differences
{
	my ($table) = @_;
	my $send = sub { my ($c) = @_; $c->{type} eq 'float8' ? "encode(float8send($c->{name}), 'hex')" : $c->{type} eq 'float8[]' ? "encode(array_send($c->{name}), 'hex')" : $c->{type} eq 'point' ? "encode(point_send($c->{name}), 'hex')" : $c->{name} };
	my $sql = 'SELECT ' . ($table->{key} ? "encode(convert_to(concat(k), 'UTF8'), 'hex')" : "''") . " || ' ' || md5(ROW(" . join(', ', map { $send->($_) } @{ $table->{columns} }) . ")::text) FROM $table->{name}";
	my %more;
	for my $side ([ 1, $t->source_sql($sql) ], [ -1, $t->destination_sql($sql) ])
	{
		for my $line (split /\n/, $side->[1]) { my ($key, $digest) = split / /, $line; $more{$key}{$digest} += $side->[0]; }
	}
	return \%more;
}

my $result = $t->sluice('compare', '--json', '--limit', 100000);
my %reported = map { $_->{source} => $_ } @{ decode_json($result->{stdout})->{tables} };
my $any = 0;
for my $table (@tables)
{
	my $report = $reported{"public.$table->{name}"};
	my $more = differences($table);
	my (%expected, %found, $missing, $extra);
	for my $key (keys %$more)
	{
		my $here = grep { $_ > 0 } values %{ $more->{$key} };
		my $there = grep { $_ < 0 } values %{ $more->{$key} };
		$expected{$key} = $here && $there ? 'changed' : $here ? 'missing' : 'extra' if $here || $there;
		for (values %{ $more->{$key} }) { $missing += $_ if $_ > 0; $extra -= $_ if $_ < 0; }
	}
	$any ||= %expected;
	is($report->{missing} + $report->{changed}, $missing // 0, "$table->{name}: rows that the destination lacks");
	is($report->{extra} + $report->{changed}, $extra // 0, "$table->{name}: rows that it alone has");
	next unless $table->{key};
	for my $difference (@{ $report->{differences} })
	{
		my ($value) = grep { $_->{key} } @{ $difference->{values} };
		my $key = $value->{source} // $value->{target};
		utf8::encode($key);
		$found{ unpack 'H*', $key } = $difference->{kind};
	}
	is_deeply(\%found, \%expected, "$table->{name}: just those keys ($table->{key})");
}
is($result->{status}, $any ? 4 : 0, 'exit status');

done_testing();
