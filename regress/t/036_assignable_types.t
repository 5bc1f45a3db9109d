#!/usr/bin/perl
# Targets whose columns have other types than the source's, which its values
# can be assigned to: by copy, by stream and for compare; and values that do not fit.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;

sub target { return $t->destination_sql($_[0]); }

# By column: the source's type, the target's, values, and what the target prints of them.
my @pairs = (
	[ 'int4', 'int8', [ '2147483647', '-1' ], [ '2147483647', '-1' ] ],
	[ 'int4', 'numeric', ['-2147483648'], ['-2147483648'] ],
	[ 'int4', 'numeric(12,2)', ['7'], ['7.00'] ],
	[ 'int8', 'int4', ['5'], ['5'] ],
	[ 'int2', 'text', ['-3'], ['-3'] ],
	[ 'varchar(10)', 'text', [ "'c'", "''" ], [ 'c', '' ] ],
	[ 'text', 'varchar(10)', [ "'ten letter'", q{E'\\t\\\\N'} ], [ 'ten letter', "\t\\N" ] ],
	[ 'text', 'char(4)', ["'ab'"], ['ab  '] ],
	[ 'char(5)', 'text', ["'ab'"], ['ab   '] ],
	[ 'jsonb', 'json', [q{'{"b": 1.0, "a": null}'}], ['{"a": null, "b": 1.0}'] ],
	[ 'json', 'jsonb', [q{'{"b" :  1.0, "a":null}'}], ['{"a": null, "b": 1.0}'] ],
	[ 'json', 'text', [q{'{"b" :  1}'}], ['{"b" :  1}'] ],
	[ 'timestamp', 'timestamptz', [ "'2024-06-01 12:00:00.123456'", "'infinity'" ], [ '2024-06-01 12:00:00.123456+00', 'infinity' ] ],
	[ 'timestamptz', 'timestamp', [ "'2024-06-01 12:00+02'", "'-infinity'" ], [ '2024-06-01 10:00:00', '-infinity' ] ],
	[ 'timestamp', 'timestamp(0)', ["'2024-01-01 00:00:00.6'"], ['2024-01-01 00:00:01'] ],
	[ 'timestamptz', 'date', ["'2024-06-01 23:00-05'"], ['2024-06-02'] ],
	[ 'date', 'timestamp', [ "'2024-01-01'", "'0044-03-15 BC'", "'infinity'" ], [ '2024-01-01 00:00:00', '0044-03-15 00:00:00 BC', 'infinity' ] ],
	[ 'time', 'timetz', ["'24:00'"], ['24:00:00+00'] ],
	[ 'float4', 'float8', [ '1.1', "'NaN'" ], [ '1.1', 'NaN' ] ],
	[ 'float8', 'float4', ['0.5'], ['0.5'] ],
	[ 'float8', 'numeric', [ '0.1', "'NaN'" ], [ '0.1', 'NaN' ] ],
	[ 'numeric', 'float8', [ '0.5', "'NaN'" ], [ '0.5', 'NaN' ] ],
	[ 'numeric', 'numeric(8,2)', ['1.239'], ['1.24'] ],
	[ 'assignable.mood', 'text', [ "'sad'", q{'so "so", \\'} ], [ 'sad', 'so "so", \\' ] ],
	[ 'assignable.mood', 'varchar(20)', ["'sad'"], ['sad'] ],
	[ 'assignable.mood[]', 'text[]', [q{ARRAY['sad', 'so "so", \\', NULL]::assignable.mood[]}], ['{sad,"so \"so\", \\\\",NULL}'] ],
	[ 'assignable.price', 'numeric', ['1.5'], ['1.50'] ],
	[ 'assignable.price', 'numeric(10,2)', ['1.5'], ['1.50'] ],
	[ 'assignable.pair', 'text', [q{ROW(1, 'a"b')}], ['(1,"a""b")'] ],
	[ 'uuid', 'text', ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"], ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'] ],
	[ 'bool', 'text', [ 'true', 'false' ], [ 't', 'f' ] ],
	[ 'bytea', 'text', [q{'\\x00ff'}], ['\\x00ff'] ],
	[ 'bit(3)', 'varbit', ["B'101'"], ['101'] ],
	[ 'inet', 'text', [ "'10.0.0.1/8'", "'::1'" ], [ '10.0.0.1/8', '::1' ] ],
	[ 'cidr', 'inet', ["'10.0.0.0/8'"], ['10.0.0.0/8'] ],
	[ 'int[]', 'bigint[]', [q{'[0:1]={1,NULL}'}], ['[0:1]={1,NULL}'] ],
	[ 'int[]', 'text', [q{'{{1},{2}}'}], ['{{1},{2}}'] ],
	[ 'float4[]', 'float8[]', ["'{1.1,NULL}'"], ['{1.1,NULL}'] ],
	[ 'int4range', 'text', [ "'[1,5]'", "'empty'" ], [ '[1,6)', 'empty' ] ],
	[ 'interval', 'text', ["'1 mon -2 days'"], ['1 mon -2 days'] ],
	[ 'money', 'text', ["'-12.5'"], ['-$12.50'] ],
	[ 'macaddr8', 'text', ["'08:00:2b:01:02:03:04:05'"], ['08:00:2b:01:02:03:04:05'] ],
	[ 'tsvector', 'text', [q{$$'a':1A 'b c'$$}], [q{'a':1A 'b c'}] ],
	[ 'point', 'text', ["'(1,0.1)'"], ['(1,0.1)'] ],
);
my %prints_otherwise = map { $_ => 1 } $t->destination_version < 120000 ? ('float4[]', 'float4', 'point') : (); # servers before PostgreSQL 12 print other digits

$t->source_sql(q{
	CREATE SCHEMA assignable;
	CREATE TYPE assignable.mood AS ENUM ('sad', 'so "so", \\');
	CREATE DOMAIN assignable.price AS numeric(10,2);
	CREATE TYPE assignable.pair AS (a int, b text);
});
target('CREATE SCHEMA assignable');
my @numbers = 0 .. $#pairs;
for my $storage ('', '_keyless')
{
	my $key = $storage ? '' : ' PRIMARY KEY';
	$t->source_sql("CREATE TABLE assignable.t$storage (id int$key, " . join(', ', map { "c$_ $pairs[$_][0]" } @numbers) . ')'
		. ($storage ? "; ALTER TABLE assignable.t$storage REPLICA IDENTITY FULL" : ''));
	target("CREATE TABLE assignable.t$storage (id int$key, " . join(', ', map { "c$_ $pairs[$_][1]" } @numbers) . ')');
}

# The n-th values in row n, the last one of a column again where it has no more; NULLs.
sub row { my ($id, $n) = @_; return "($id, " . join(', ', map { my $v = $_->[2]; "(" . ($v->[$n] // $v->[-1]) . ")::$_->[0]" } @pairs) . ')'; }
my $rows = sub { my ($first) = @_; return join ', ', row($first, 0), row($first + 1, 1), row($first + 2, 2) };
for my $table (qw(t t_keyless)) { $t->source_sql("INSERT INTO assignable.$table VALUES " . $rows->(1) . "; INSERT INTO assignable.$table (id) VALUES (4)"); }

sub prints_ok
{
	my ($table, $first, $name) = @_;
	for my $i (grep { !$prints_otherwise{ $pairs[$_][0] } } @numbers)
	{
		my ($from, $to, undef, $printed) = @{ $pairs[$i] };
		my $got = target("SELECT string_agg(concat(c$i), E'\\n' ORDER BY id) FROM assignable.$table WHERE id BETWEEN $first AND $first + 2");
		is($got, join("\n", map { $printed->[$_] // $printed->[-1] } 0 .. 2), "$from as $to, $name");
	}
}

$t->configure({ tables => { include => ['assignable.*'] } });
my $check = $t->run_ok('check')->{stdout};
unlike($check, qr/^failed/m, 'check has nothing against it');
like($check, qr/"c$_" is .*: its values are interpreted as UTC/, "a time zone comes or goes: $pairs[$_][0]")
  for grep { "$pairs[$_][0] $pairs[$_][1]" =~ /^(timestamp timestamptz|timestamptz timestamp|time timetz)$/ } @numbers;
unlike($check, qr/"c$_" is /, "no word about $pairs[$_][0] as $pairs[$_][1]")
  for grep { "$pairs[$_][0] $pairs[$_][1]" =~ /^(int4 int8|int4 numeric|varchar\(10\) text|jsonb json|float4 float8|\S+ text|cidr inet|assignable\.price numeric(\(10,2\))?)$/ } @numbers;
like($check, qr/"c$_" is .*: a value that does not fit is rounded or stops the run/, "a warning about $pairs[$_][0] as $pairs[$_][1]")
  for grep { "$pairs[$_][0] $pairs[$_][1]" =~ /^(text varchar\(10\)|int8 int4|json jsonb|numeric numeric\(8,2\)|date timestamp)$/ } @numbers;

$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
prints_ok($_, 1, "copied, $_") for qw(t t_keyless);
$t->run_ok('compare');

# A few rows, then so many that they are staged.
my $touch = join ', ', map { "c$_ = c$_" } @numbers;
for my $table (qw(t t_keyless))
{
	$t->source_sql("INSERT INTO assignable.$table VALUES " . $rows->(11) . "; UPDATE assignable.$table SET id = id + 20 WHERE id < 3; DELETE FROM assignable.$table WHERE id = 3");
}
$t->run_ok('run', '--until', 'current');
prints_ok($_, 11, "inserted, $_") for qw(t t_keyless);
$t->run_ok('compare');
for my $table (qw(t t_keyless))
{
	$t->source_sql("BEGIN; INSERT INTO assignable.$table SELECT i, " . join(', ', map { "c$_" } @numbers) . " FROM assignable.$table, generate_series(1000, 3000) i WHERE id = 11;
		UPDATE assignable.$table SET id = -id WHERE id > 500; DELETE FROM assignable.$table WHERE id BETWEEN -1500 AND -1400; COMMIT; UPDATE assignable.$table SET c5 = c5 || '!'");
}
$t->run_ok('run', '--until', 'current');
$t->run_ok('compare');
is(target("SELECT count(*) FROM assignable.$_"), $t->source_sql("SELECT count(*) FROM assignable.$_"), "as many rows of $_") for qw(t t_keyless);

# ---- a value that does not fit is told by table, column and key, and goes in once it does

$t->source_sql("BEGIN; INSERT INTO assignable.t (id) SELECT i FROM generate_series(5000, 5009) i; INSERT INTO assignable.t (id, c6) VALUES (5010, 'eleven lett'); COMMIT");
for my $again (1 .. 2)
{
	$t->fails_like([ 'run', '--until', 'current' ], 1,
		qr/merging into assignable\.t: row with id = 5010: COPY .*column c6.*too long for type character varying\(10\).*; alter assignable\.t so that it takes the value/,
		'a value that is too long');
}
is(target('SELECT count(*) FROM assignable.t WHERE id >= 5000'), 0, 'nothing of the batch is there');
target('ALTER TABLE assignable.t ALTER c6 TYPE varchar(11)');
$t->run_ok('run', '--until', 'current');
is(target('SELECT c6 FROM assignable.t WHERE id = 5010'), 'eleven lett', 'it went on');
$t->run_ok('compare');
$t->run_ok('drop');

# ---- within the copy

$t->source_sql("CREATE TABLE assignable.copied (a int, b text, PRIMARY KEY (b, a)); INSERT INTO assignable.copied VALUES (1, 'fits'), (2, 'does not')");
target('CREATE TABLE assignable.copied (a int, b varchar(4), PRIMARY KEY (b, a))');
$t->configure({ tables => { include => ['assignable.copied'] } });
$t->fails_like([ 'run', '--until', 'current' ], 1,
	qr/copying assignable\.copied: row with "b" = does not, "a" = 2: COPY .*column b.*too long for type character varying\(4\).*; alter assignable\.copied so that it takes the value/, 'a value that is too long, in the copy');
target('ALTER TABLE assignable.copied ALTER b TYPE text') if !$greenplum;
target('DROP TABLE assignable.copied; CREATE TABLE assignable.copied (a int, b text, PRIMARY KEY (b, a))') if $greenplum;
$t->run_ok('run', '--until', 'current');
$t->equal_ok('assignable.copied');
target('UPDATE assignable.copied SET a = 3 WHERE a = 2');
$t->fails_like(['compare'], 4, qr/1 of 1 table/, 'compare does see a difference');

done_testing();
