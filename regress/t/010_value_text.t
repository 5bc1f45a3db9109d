#!/usr/bin/perl
# The text of every value equals what the type's output function prints: the
# server's text and the renderer's are compared value by value, for all types
# that the renderer knows and for those that travel as text.  Text format and
# decoded binary format give the same lines.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0);

# Whatever a decoding session has set must not show in its output.
my $odd_settings = q{
	SET datestyle = 'German';
	SET intervalstyle = 'iso_8601';
	SET timezone = 'Asia/Kolkata';
	SET extra_float_digits = -5;
	SET bytea_output = 'escape';
};

# The server's default settings are not those of the format either.
$t->source_sql(q{
	ALTER DATABASE shop SET datestyle = 'SQL, DMY';
	ALTER DATABASE shop SET timezone = 'America/New_York';
});

$t->source_sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
	CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN amount AS numeric(10, 2);
	CREATE DOMAIN amounts AS numeric[];
	CREATE DOMAIN feeling AS mood;
	CREATE TYPE floats AS RANGE (subtype = float8);
});

# One table a type, one row a value.
my (@types, %table_of);

sub table_for
{
	my ($type) = @_;
	if (!$table_of{$type})
	{
		$table_of{$type} = 'z' . @types;
		push @types, $type;
	}
	return $table_of{$type};
}

# What this server's version does not know yet.
my $version = $t->source_sql('SHOW server_version_num');
my $newer = $version < 140000 ? qr/multirange|^(int2|oid)vector\[\]|^num.*Infinity|-2\)/ : $version < 150000 ? qr/-2\)/ : undef;

my @inserts;
while (my $line = <DATA>)
{
	next unless $line =~ /^(.+?): (.+)$/;
	next if $newer && $line =~ $newer;
	push @inserts, sprintf 'INSERT INTO %s (v) SELECT (%s)::%s;', table_for($1), $2, $1;
}

# Beside the values picked by hand, many at random; the same each time.
my %random = (
	float8 => '(random() - 0.5) * power(10::float8, (random() * 600 - 300)::int)',
	float4 => '((random() - 0.5) * power(10::float8, (random() * 70 - 37)::int))::float4',
	numeric => 'round(((random() - 0.5) * power(10::float8, (random() * 20)::int))::numeric, (random() * 20)::int)',
	date => "date '4714-11-24 BC' + (random() * 5000000)::int",
	timestamp => "timestamp '4714-11-25 00:00:00 BC' + random() * interval '200000 years'",
	timestamptz => "timestamptz '1900-01-01 00:00:00+00' + random() * interval '300 years'",
	interval => 'make_interval(years => (random() * 20 - 10)::int, months => (random() * 24 - 12)::int, '
	  . 'days => (random() * 60 - 30)::int, secs => round((random() * 1e6 - 5e5)::numeric, (random() * 6)::int)::float8)',
	timetz => "(time '00:00' + random() * interval '24 hours')::time::text::timetz",
	money => '((random() - 0.5) * 1e12)::numeric::money',
	inet => "('::'::inet + (random() * 9e18)::bigint)",
	bytea => "decode(md5(random()::text), 'hex')",
	'float8[]' => 'ARRAY[random(), -random() * 1e30, NULL]',
);
push @inserts, 'SELECT setseed(0.25);';
for my $type (sort keys %random)
{
	push @inserts, sprintf 'INSERT INTO %s (v) SELECT %s FROM generate_series(1, 300);', table_for($type),
	  $random{$type};
}

$t->source_sql(join "\n", map { "CREATE TABLE $table_of{$_} (n serial PRIMARY KEY, v $_);" } @types);
$t->source_sql("SELECT pg_create_logical_replication_slot('values', 'sluice')");
$t->source_sql(join "\n", 'BEGIN;', @inserts, 'COMMIT;');

# What the output functions print; in hex, because of new lines.
my $selects = join ' UNION ALL ', map {
	"SELECT '$table_of{$_}.' || n, encode(convert_to(format('%s', v), 'UTF8'), 'hex'), v IS NULL FROM $table_of{$_}"
} @types;
my %expected;
for my $row (split /\n/, $t->source_sql($selects))
{
	my ($id, $hex, $is_null) = split /\|/, $row;
	$expected{$id} = $is_null eq 't' ? undef : pack 'H*', $hex;
}

my @lines = split /\n/, $t->source_sql(
	"$odd_settings SELECT data FROM pg_logical_slot_peek_changes('values', NULL, NULL, 'format', 'text')");

# The value that a literal stands for.
sub unquote
{
	my ($literal) = @_;
	my %letters = (b => "\b", f => "\f", n => "\n", r => "\r", t => "\t", '\\' => '\\');
	return 't' if $literal eq 'true';
	return 'f' if $literal eq 'false';
	return $1 if $literal =~ /^B'([01]*)'$/;
	if ($literal =~ /^E'(.*)'$/)
	{
		my $text = $1;
		$text =~ s/''|\\x([0-9A-F]{2})|\\(.)/defined $1 ? chr hex $1 : defined $2 ? $letters{$2} : "'"/ge;
		return $text;
	}
	return $1 =~ s/''/'/gr if $literal =~ /^'(.*)'$/;
	return $literal;
}

my (%wrong, %seen);
for my $line (@lines)
{
	next unless $line =~ /^table public\.(z\d+): INSERT: n\[integer\]:(\d+) v\[.*?\]+:(.*)$/;
	my ($table, $id, $literal) = ($1, "$1.$2", $3);
	my $actual = $literal eq 'null' ? undef : unquote($literal);
	my $expected = $expected{$id};
	$seen{$table}++;
	push @{ $wrong{$table} }, sprintf('expected %s, got %s', $expected // 'null', $literal)
	  if (defined $expected) != (defined $actual) || (defined $expected && $expected ne $actual);
}
for my $type (@types)
{
	my $table = $table_of{$type};
	my $rows = grep { /^\Q$table\E\./ } keys %expected;
	my @wrong = @{ $wrong{$table} // [] };
	ok(!@wrong && $seen{$table} && $seen{$table} == $rows, "$type: $rows values")
	  or diag(join "\n", ($seen{$table} // 0) . ' seen', @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]);
}

# Numbers and booleans have no quotes.
my %form = (
	int4 => qr/^-?\d+$/,
	float8 => qr/^[-+.e\da-zA-Z]+$/,
	numeric => qr/^[-+.e\da-zA-Z]+$/,
	bool => qr/^(true|false)$/,
	text => qr/^E?'/,
	'bit(10)' => qr/^B'/,
);
for my $type (sort keys %form)
{
	my $prefix = qr/^table public\.$table_of{$type}: INSERT: n\[integer\]:\d+ v\[[^]]*\]:/;
	my @values = map { s/$prefix//r } grep { /$prefix/ } @lines;
	my @others = grep { $_ ne 'null' && $_ !~ $form{$type} } @values;
	ok(@values && !@others, "form of $type") or diag("@others");
}

# The binary format says the same.
my $path = $t->directory . '/capture.bin';
open my $file, '>:raw', $path or die "cannot write $path: $!";
print $file pack 'H*', $_ for split /\n/, $t->source_sql(
	"$odd_settings SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('values', NULL, NULL)");
close $file or die "cannot write $path: $!";
my $decoded = SluiceTest::command([ $t->program, 'decode', $path ]);
is($decoded->{status}, 0, 'the capture is decoded');
my @decoded = split /\n/, $decoded->{stdout};
is(scalar @decoded, scalar @lines, 'as many lines as the text format has');
my ($different) = grep { $decoded[$_] ne $lines[$_] } 0 .. $#lines;
is($different, undef, 'the lines are the same')
  or diag("text:    $lines[$different]\ndecoded: $decoded[$different]");

done_testing();

__DATA__
bool: true
bool: false
"char": 'x'
"char": ''
"char": '\'
"char": E'\n'
name: 'abc'
text: ''
text: 'plain'
text: 'it''s'
text: E'two\nlines\r\n\ttab'
text: 'back\slash \. \N'
text: E'\x01\x7f'
text: 'żółć 日本 😀'
text: repeat('x', 3000)
varchar(5): 'abc'
char(5): 'ab'
bytea: ''
bytea: '\x00ff5c0a27'
int2: -32768
int2: 32767
int4: -2147483648
int4: 0
int8: -9223372036854775808
int8: 9223372036854775807
oid: 4294967295
xid: '4294967295'
cid: '7'
xid8: '18446744073709551615'
tid: '(4294967295,65535)'
tid: '(0,1)'
float4: 0
float4: '-0'
float4: 1
float4: 0.1
float4: 1e5
float4: 123456
float4: 1e6
float4: 999999.9
float4: 1234567
float4: 16777216
float4: 0.0001
float4: 0.00001
float4: 1e-38
float4: 1.4e-45
float4: 1.17549435e-38
float4: 1.1754942e-38
float4: 3.4028235e38
float4: 'NaN'
float4: 'Infinity'
float4: '-Infinity'
float4: 9.4447329657392904273920e21
float4: 33554432
float4: 8.589973e9
float4: 1.3409e-42
float8: 0
float8: '-0'
float8: 1
float8: 100
float8: 0.1
float8: -1.5
float8: 1e14
float8: 123456789012345
float8: 999999999999999
float8: 1e15
float8: 1234567890123456
float8: 9007199254740992
float8: 9007199254740993
float8: 18014398509481984
float8: 18014398509481988
float8: 1e16
float8: 1e17
float8: 1e22
float8: 1e23
float8: 0.0001
float8: 0.00012345
float8: 0.00001
float8: 0.3
float8: 2.2250738585072014e-308
float8: 2.225073858507201e-308
float8: 5e-324
float8: 4.9406564584124654e-324
float8: 1e-323
float8: 1.7976931348623157e308
float8: 5.684341886080801e-14
float8: 2.9802322387695312e-8
float8: 5.764607523034235e39
float8: 1.152921504606847e40
float8: 2.305843009213694e40
float8: 'NaN'
float8: 'Infinity'
float8: '-Infinity'
float8: 9.5367431640625e-07
numeric: 0
numeric: 0.00
numeric: 1
numeric: -1
numeric: 10000
numeric: 100000000
numeric: 12345678.90123
numeric: 0.0001
numeric: 0.00001
numeric: -0.000000000012345
numeric: 1e100
numeric: 1e-100
numeric: 10000.0001
numeric: 1.10
numeric: 99999999999999999999999999999999999999.999999
numeric: 'NaN'
numeric: 'Infinity'
numeric: '-Infinity'
numeric(10,2): 3
numeric(3,-2): 12345
numeric: 1e-16383
money: 0
money: 1234.5
money: -1234567.89
money: 0.05
money: -0.05
money: '-92233720368547758.08'
money: '92233720368547758.07'
date: '2000-01-01'
date: '2024-02-29'
date: '1999-12-31'
date: '0001-01-01'
date: '0001-12-31 BC'
date: '0044-03-15 BC'
date: '4714-11-24 BC'
date: '5874897-12-31'
date: '10000-01-01'
date: 'infinity'
date: '-infinity'
date: '1900-02-28'
date: '2100-03-01'
time: '00:00'
time: '23:59:59.999999'
time: '24:00'
time: '01:02:03.5'
time: '01:02:03.000010'
timetz: '12:34:56+02'
timetz: '12:34:56.5-05:30'
timetz: '12:34:56+15:59:59'
timetz: '00:00:00-00:00:01'
timetz: '24:00:00+00'
timestamp: '2000-01-01'
timestamp: '1999-12-31 23:59:59.999999'
timestamp: '2024-02-29 12:00:00.123'
timestamp: '0001-12-31 00:00:01 BC'
timestamp: '4714-11-24 00:00:00 BC'
timestamp: '294276-12-31 23:59:59.999999'
timestamp: 'infinity'
timestamp: '-infinity'
timestamptz: '2000-01-01 00:00:00+02'
timestamptz: '1999-12-31 23:59:59.999999+00'
timestamptz: '0044-03-15 12:00 BC'
timestamptz: 'infinity'
timestamptz: '-infinity'
interval: '0'
interval: '1 year'
interval: '1 mon'
interval: '-1 year'
interval: '1 year 2 mons 3 days 04:05:06.789'
interval: '-1 year -2 mons +3 days -04:05:06.7'
interval: '1 year -2 days'
interval: '-1 mon 1 day 1 sec'
interval: '1 day -1 sec'
interval: '-1 day 1 sec'
interval: '-1 day'
interval: '-00:00:00.000001'
interval: '100000:00:00'
interval: '1 day'
interval: '178000000 years'
interval: '2 mons 1 us'
interval: '13 mons'
interval: '-13 mons'
interval: '-11 mons 1 year'
interval: '-1 year 0 mons 1 sec'
uuid: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'
json: '{"a": [1, "x\ny"], "b" : null}'
jsonb: '{"a": [1, "x\ny"], "b" : null}'
jsonpath: '$.a[*] ? (@ > 1)'
xml: '<a b="c">ü<d/></a>'
bit(1): B'1'
bit(10): B'1010101011'
varbit: B''
varbit: B'101'
varbit: B'11111111000000001'
inet: '1.2.3.4'
inet: '1.2.3.4/24'
inet: '0.0.0.0/0'
inet: '::'
inet: '::1'
inet: '::/0'
inet: '2001:db8::1/64'
inet: '2001:db8:0:0:1:0:0:1'
inet: '1:2:3:4:5:6:7:8'
inet: '1:0:3:4:5:6:7:8'
inet: '::ffff:1.2.3.4'
inet: '::1.2.3.4'
inet: '::2'
inet: '1::'
inet: '1:2:3:4:5:6::'
inet: '::3:4:5:6:7:8'
inet: '::ffff:0:0'
inet: '0:0:0:0:0:ffff::/96'
inet: '0:0:0:0:0:0:7:8/97'
inet: '0:0:0:0:1::'
cidr: '10.0.0.0/8'
cidr: '10.1.2.3/32'
cidr: '0.0.0.0/0'
cidr: '2001:db8::/32'
cidr: '::/0'
cidr: '::1/128'
macaddr: '08:00:2b:01:02:03'
macaddr8: '08:00:2b:01:02:03:04:05'
point: '(1,2)'
point: '(1e300,-0.5)'
point: '(NaN,Infinity)'
lseg: '[(1,2),(3,4)]'
box: '(3,4),(1,2)'
path: '((1,2),(3,4),(5,6))'
path: '[(1,2),(3,4)]'
polygon: '((1,2),(3,4),(5,6))'
line: '{1,-1,0.5}'
circle: '<(1,2),3.5>'
pg_lsn: '0/0'
pg_lsn: '16/B374D848'
pg_lsn: 'FFFFFFFF/FFFFFFFF'
tsvector: ''
tsvector: 'a:1A,2B,3C,4 fat:5 ''it''''s'' ''a\\b'''
tsvector: 'plain words'
tsquery: ''
tsquery: 'a'
tsquery: 'a & b | !c'
tsquery: '(a | b) & !(c & d)'
tsquery: 'a <-> (b <-> c)'
tsquery: '(a <-> b) <3> c'
tsquery: 'a:*AB & b:D'
tsquery: '!!a'
tsquery: '''it''''s'' | ''a\\b'''
tsquery: '!(a <-> b) | (c | (d & e))'
tsquery: 'a & (b & (c & d))'
pg_snapshot: '10:20:10,14,15'
pg_snapshot: '10:10:'
txid_snapshot: '10:20:10,14,15'
refcursor: 'c1'
int2vector: '1 2 3'
int2vector: ''
oidvector: '1 4294967295'
int4range: 'empty'
int4range: '[1,5)'
int4range: '(,5)'
int4range: '(,)'
int8range: '[-5,9223372036854775807)'
numrange: '(1.5,2.50]'
numrange: '[-Infinity,NaN]'
tsrange: '[2020-01-01 00:00:00,2021-01-01 12:00:00)'
tsrange: '[-infinity,infinity]'
tstzrange: '[2020-01-01 00:00:00+00,)'
daterange: '[2020-01-01,2020-02-01)'
daterange: '[0044-03-15 BC,infinity)'
int4multirange: '{}'
int4multirange: '{[1,3),[5,8)}'
nummultirange: '{(1.5,2.5],[7,)}'
tsmultirange: '{[2020-01-01 00:00:00,2021-01-01 12:00:00)}'
tstzmultirange: '{[2020-01-01 00:00:00+00,)}'
datemultirange: '{[2020-01-01,2020-02-01)}'
int8multirange: '{(,5)}'
int4[]: '{}'
int4[]: '{1,NULL,3}'
int4[]: '{{1,2},{3,4}}'
int4[]: '{{{1},{2}},{{3},{4}}}'
int4[]: '[2:4]={1,2,3}'
int4[]: '[-1:0][5:6]={{1,2},{3,4}}'
bool[]: '{t,f,NULL}'
text[]: '{a,"","NULL",null,"a b","a,b","{x}","q\"q","b\\s"}'
text[]: ARRAY[E'two\nlines', E'\ttab', 'nUll', 'it''s']
varchar(10)[]: '{a,b}'
bytea[]: ARRAY['\x00ff'::bytea, '']
"char"[]: '{a,""}'
float8[]: '{1.5,NaN,-Infinity}'
numeric[]: '{1.50,NaN}'
timestamp[]: '{"2020-01-01 00:00:00",infinity}'
interval[]: '{"1 day","1 year 02:03:04"}'
box[]: '{(3,4),(1,2);(7,8),(5,6)}'
point[]: '{"(1,2)","(3,4)"}'
int4range[]: '{"[1,5)",empty}'
int4multirange[]: '{"{[1,3),[5,8)}"}'
inet[]: '{1.2.3.4/8,::1}'
jsonb[]: ARRAY['{"a": "b"}'::jsonb]
uuid[]: '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'
money[]: '{1234.5,-0.01}'
date[]: '{"0044-03-15 BC"}'
bit(3)[]: '{101,111}'
tsvector[]: ARRAY['a:1 b'::tsvector]
name[]: '{a,b}'
oid[]: '{1,2}'
int2vector[]: ARRAY['1 2'::int2vector]
xml[]: ARRAY['<a/>'::xml]
int4: NULL
text: NULL
mood: 'sad'
mood: 'it''s ok'
mood[]: '{sad,NULL,"it''s ok"}'
feeling: 'happy'
amount: 12.5
amount[]: '{1,2.5}'
amounts: '{1,NULL}'
pair: ROW(1, 'a,"b')
pair[]: ARRAY[ROW(1, NULL)::pair]
floats: '[1.5,)'
regclass: 'pg_class'
regtype: 'int4'
aclitem: 'postgres=r/postgres'
