#!/usr/bin/perl
# The binary form: its frames, and that each value in it is what COPY BINARY
# would write, byte by byte.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/lib";
use Frames;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0);

sub frames
{
	my ($slot, $options) = @_;
	my $sql = "SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('$slot', NULL, NULL, 'messages', 'on'" . ($options // '') . ')';
	return map { split_frames(pack 'H*', $_) } split /\n/, $t->source_sql($sql);
}

sub messages
{
	my (%relations, @messages);
	my $body = '';
	for my $frame (@_)
	{
		$body .= $frame->{body};
		next if $frame->{flags} & FRAME_PART;
		push @messages, read_messages(\%relations, $body);
		$body = '';
	}
	die "the last part is missing\n" if length $body;
	return @messages;
}

# One letter a message; many in a row are counted.
sub kinds
{
	my $kinds = join '', map { $_->{kind} } @_;
	return $kinds =~ s/((.)\2{9,})/"$2*" . length $1/ger;
}

# ---- frames

$t->source_sql(q{
	CREATE TABLE numbers (id int PRIMARY KEY, v text);
	SELECT pg_create_logical_replication_slot('frames', 'sluice');
	INSERT INTO numbers VALUES (1, 'one');
	SELECT pg_logical_emit_message(false, 'p', 'now');
	INSERT INTO numbers VALUES (2, 'two'), (3, NULL);
});
my @frames = frames('frames');
is(scalar @frames, 3, 'every transaction and every message outside of one has a frame of its own');
is(join(',', map { kinds(read_messages({}, $_->{body})) } $frames[0]), 'HBRIC', 'the first frame begins with the startup message');
is(kinds(messages(@frames)), 'HBRICMBIIC', 'what the frames hold together');
is(join(',', map { $_->{flags} } @frames), '0,0,0', 'none of them ends within a transaction');
my ($startup) = messages(@frames);
is("$startup->{version} $startup->{encoding} $startup->{database}", '2 UTF8 shop', 'the startup message');
is($startup->{server}, $t->source_sql('SHOW server_version_num'), 'the server\'s version in it');

$t->source_sql(q{
	INSERT INTO numbers SELECT i, repeat('x', 50) FROM generate_series(10, 10000) i;
	INSERT INTO numbers VALUES (4);
});
@frames = frames('frames');
cmp_ok(scalar @frames, '>', 5, 'a large transaction takes several frames');
my @open = @frames[0 .. $#frames - 2];
is(scalar(grep { !($_->{flags} & FRAME_OPEN) } @open), 0, 'all but its last are marked as open');
is(scalar(grep { length($_->{body}) < 65530 || length($_->{body}) > 66000 } @open), 0, 'they hold a bit over 64 kB');
is($frames[$_]{flags}, 0, "a frame that ends a transaction is not ($_)") for -2, -1;
is(kinds(messages(@frames)), 'HBRI*9991CBIC', 'no change is missing');

$t->source_sql("INSERT INTO numbers VALUES (5, repeat('y', 5000000)), (6, 'small')");
@frames = frames('frames');
is(join(',', map { $_->{flags} } @frames), '6,6,6,6,2,0', 'a large row comes in parts');
cmp_ok((sort { $b <=> $a } map { $_->{sent} } @frames)[0], '<', 1100000, 'of a megabyte each');
my @messages = messages(@frames);
is(length $messages[3]{new}{v}, 5000000, 'a row larger than a frame');
is($messages[4]{new}{v}, 'small', 'the row after it');

# ---- compression

$t->source_sql(q{
	INSERT INTO numbers SELECT i, repeat('x', 50) FROM generate_series(20001, 24000) i;
	INSERT INTO numbers VALUES (7);
	INSERT INTO numbers SELECT 30000 + i, string_agg(md5((i * j)::text), '') FROM generate_series(1, 300) i, generate_series(1, 50) j GROUP BY i;
	INSERT INTO numbers VALUES (8, repeat('z', 3000000));
});
sub peek
{
	my ($options) = @_;
	my $hex = $t->source_sql("SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('frames', NULL, NULL$options)");
	return map { split_frames(pack 'H*', $_) } split /\n/, $hex;
}
my @plain = peek('');
my @packed = peek(", 'compression', 'lz4'");
is((grep { !($_->{flags} & FRAME_OPEN) } @packed) + 0, (grep { !($_->{flags} & FRAME_OPEN) } @plain) + 0, 'as many frames end a transaction as without compression');
# The startup message names the option, and so shifts what a frame holds.
my ($all_plain, $all_packed) = map { join('', map { $_->{body} } @$_) =~ s/compression.(none|lz4)//r } \@plain, \@packed;
ok($all_plain eq $all_packed, 'which hold the same');
is((grep { !($_->{flags} & FRAME_LZ4) } @packed) + 0, 0, 'all frames are compressed');
is(join(',', map { $_->{flags} & FRAME_LINKED ? 1 : 0 } @packed[0 .. 2]), '0,1,1', 'each but the first refers to those before it');
ok((grep { $_->{sent} > 10 + length($_->{body}) * 256 / 255 + 16 } @packed) == 0, 'none is much larger than it was');
ok((grep { length $_->{body} > 131072 } @packed) == 0, 'none has more than 128 kB before compression');
my ($sent, $raw) = (0, 0);
for my $frame (grep { $_->{body} =~ /x{50}/ } @packed)
{
	$sent += $frame->{sent};
	$raw += length $frame->{body};
}
cmp_ok($sent, '<', $raw / 5, 'repetitive rows take less than a fifth');
frames('frames');

# Transactions of a few changes, which repeat each other and not themselves.
$t->source_sql("INSERT INTO numbers VALUES ($_, 'the text of every transaction, ' || md5('a'))") for 40001 .. 40050;
my @small = peek(", 'compression', 'lz4'");
($sent, $raw) = (0, 0);
for my $frame (@small) { $sent += $frame->{sent}; $raw += 6 + length $frame->{body}; }
is(scalar @small, 50, 'each small transaction has its frame');
cmp_ok($sent, '<', $raw * 0.7, 'and is compressed by what the others have in common');
frames('frames');

# ---- values

my %zoo = (
	bool => [qw(t f)],
	int2 => [qw(0 1 -1 32767 -32768)],
	int4 => [qw(0 1 -1 2147483647 -2147483648)],
	int8 => [qw(0 1 -1 9223372036854775807 -9223372036854775808)],
	oid => [qw(0 4294967295)],
	xid => [qw(3 4294967295)],
	cid => [qw(0 4294967295)],
	xid8 => [qw(3 18446744073709551615)],
	tid => [ '(0,1)', '(4294967295,65535)', '(70000,3)' ],
	float4 => [qw(0 -0 1.5 NaN Infinity -Infinity 1e-45 3.4028235e38)],
	float8 => [qw(0 -0 0.1 NaN Infinity -Infinity 5e-324 1.7976931348623157e308)],
	numeric => [
		qw(0 0.00 1 -1 10000 0.0001 -0.0001 123456789.987654321 NaN 1e100 1e-100 -1e-100 1e1000 9999.9999 1e-16383 0e-16383),
		'9' x 200, '-' . '1' x 5000, '1' x 300 . '.' . '2' x 300, ($t->source->{_pg_version} >= 14 ? qw(Infinity -Infinity) : ()) ],
	'numeric(6,2)' => [qw(0 1 -1234.56 NaN)],
	money => [qw(0 -1.23 92233720368547758.07)],
	text => [ '', 'a', 'äöü', "back\\slash\n\ttab", "\\.", 'x' x 3000, 'compress' x 1000 ],
	varchar => [ '', 'a' ],
	'varchar(5)' => [ '', 'abcde' ],
	'char(5)' => [ '', 'a' ],
	bpchar => [ 'a  ' ],
	'"char"' => [ '', 'a' ],
	name => [ '', 'n' x 63 ],
	refcursor => [ 'c' ],
	bytea => [ '', '\x00ff0a5c', '\x' . '00ff' x 5000 ],
	date => [qw(2000-01-01 1999-12-31 infinity -infinity), '4713-01-01 BC', '5874897-12-31' ],
	time => [qw(00:00 24:00 12:34:56.789012)],
	timetz => [qw(00:00+00 12:34:56.789012-03:30 24:00+15:59)],
	timestamp => [qw(infinity -infinity), '2024-02-29 12:34:56.789012', '4713-01-01 00:00 BC', '294276-12-31 23:59:59.999999' ],
	timestamptz => [qw(infinity -infinity), '2024-02-29 12:34:56.789012+02', '0044-03-15 12:00 BC' ],
	interval => [ '0', '1 year -2 months 3 days -04:05:06.7', '-178000000 years', '178000000 years' ],
	uuid => [ '00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' ],
	json => [ '{"a" : [1, null,  "x"]}', '"\u00e4"' ],
	jsonb => [ '{"b": 1, "a" : [1.50, null,  "x"]}', 'null', '"\u00e4"', '[' . join(',', 1 .. 3000) . ']' ],
	jsonpath => [ '$.a[*] ? (@ > 1)' ],
	xml => [ '<a>text</a>', '<?xml version="1.0"?><a/>' ],
	inet => [qw(127.0.0.1 10.0.0.0/8 ::1 2001:db8::/32)],
	cidr => [qw(10.0.0.0/8 2001:db8::/32)],
	macaddr => [qw(08:00:2b:01:02:03)],
	macaddr8 => [qw(08:00:2b:01:02:03:04:05)],
	pg_lsn => [qw(0/0 16/B374D848)],
	point => [ '(0,-1.5)', '(NaN,Infinity)' ],
	lseg => [ '[(0,1),(2,3)]' ],
	box => [ '(3,4),(1,2)' ],
	line => [ '{1,-2,3}' ],
	path => [ '[(0,0),(1,1),(2,0)]', '((0,0),(1,1))' ],
	polygon => [ '((0,0),(1,1),(2,0))' ],
	circle => [ '<(1,2),3>' ],
	'bit(3)' => [ '101' ],
	varbit => [ '', '1', '101010101' ],
	tsvector => [ q(a:1A b:2,3 'c d'), '' ],
	tsquery => [ q(a & !b | 'c d':*A <-> e) ],
	txid_snapshot => [ '10:20:10,14,15' ],
	pg_snapshot => [ '10:20:10,14,15' ],
	int4range => [ '[1,5)', 'empty', '(,)' ],
	int8range => [ '[1,)' ],
	numrange => [ '(1.5,2.50]' ],
	daterange => [ '[2024-01-01,infinity)' ],
	tsrange => [ '[2024-01-01,2024-01-02]' ],
	tstzrange => [ '[2024-01-01 00:00+02,)' ],
	($t->source->{_pg_version} >= 14 ? (int4multirange => [ '{[1,2),[5,)}', '{}' ], nummultirange => [ '{(1.5,2.5]}' ]) : ()),
	'int4[]' => [ '{}', '{1,NULL,-3}', '[0:1][-1:0]={{1,2},{3,4}}' ],
	'text[]' => [ '{}', '{"",NULL,"NULL","a\"b\\\\c"}' ],
	'numeric(5,1)[]' => [ '{1.5,NaN}' ],
	'timestamptz[]' => [ '{infinity,2024-02-29 12:34:56+02}' ],
	'int4range[]' => [ '{empty,"[1,2)"}' ],
	int2vector => [ '1 2 3' ],
	oidvector => [ '1 2 3' ],
	colour => [qw(red green)],
	shade => [qw(red)],
	exact => [qw(1.50)],
	digits => [ '{1,2}' ],
);

$t->source_sql(q{
	CREATE TYPE colour AS ENUM ('red', 'green');
	CREATE DOMAIN shade AS colour;
	CREATE DOMAIN exact AS numeric(10,2) CHECK (VALUE > 0);
	CREATE DOMAIN digits AS int[];
});

my @types = sort keys %zoo;
my $rows = 0;
for (values %zoo) { $rows = @$_ if @$_ > $rows; }
$t->source_sql('CREATE TABLE zoo (id int PRIMARY KEY, ' . join(', ', map { "c$_ $types[$_]" } 0 .. $#types) . ')');
$t->source_sql("SELECT pg_create_logical_replication_slot('zoo', 'sluice')");
for my $row (0 .. $rows - 1)
{
	my @values = map { $row < @{ $zoo{$_} } ? quoted($zoo{$_}[$row]) : 'NULL' } @types;
	$t->source_sql("INSERT INTO zoo VALUES ($row, " . join(', ', @values) . ')');
}
sub quoted { return "E'" . $_[0] =~ s/([\\'])/\\$1/gr . "'"; }

# Send functions by column, as COPY BINARY would call them: a domain's is its base type's.
my @send = split /\n/, $t->source_sql(q{
	SELECT CASE WHEN t.typtype = 'd' THEN b.typsend ELSE t.typsend END
	FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = t.typbasetype
	WHERE attrelid = 'zoo'::regclass AND attnum > 1 ORDER BY attnum});
my @inserts = grep { $_->{kind} eq 'I' } messages(frames('zoo'));
is(scalar @inserts, $rows, "$rows rows arrive");
is($inserts[0]{relation}{flags}, 0, 'a table of built-in types, enums and domains travels in binary form');
for my $i (0 .. $#types)
{
	my $cast = { refcursor => '::text', shade => '::colour' }->{ $types[$i] } // '';
	my @wanted = split /\n/, $t->source_sql("SELECT coalesce(encode($send[$i](c$i$cast), 'hex'), 'NULL') FROM zoo ORDER BY id"), -1;
	my @sent = map { defined $_->{new}{"c$i"} ? unpack('H*', $_->{new}{"c$i"}) : 'NULL' } @inserts;
	my $same = join("\n", @sent) eq join("\n", @wanted);
	ok($same, "$types[$i] as $send[$i] writes it") or diag(map { "sent $sent[$_]\nwant $wanted[$_]\n" } grep { $sent[$_] ne $wanted[$_] } 0 .. $#sent);
}
my %widths = map { $_->{name} => $_->{width} } @{ $inserts[0]{relation}{columns} };
for my $i (0 .. $#types)
{
	next unless $widths{"c$i"};
	is(join(',', map { length } grep { defined } map { $_->{new}{"c$i"} } @inserts),
		join(',', ($widths{"c$i"}) x @{ $zoo{ $types[$i] } }), "$types[$i] takes $widths{qq(c$i)} bytes");
}

# ---- text that the server would convert for this client

$t->source_sql(q{
	CREATE TABLE words (id int PRIMARY KEY, t text, a text[], x xml, r daterange, v tsvector);
	INSERT INTO words VALUES (1, 'äöü', '{ä}', '<ä/>', NULL, 'ö');
});
my $captured = $t->source_sql(q{
	SET client_encoding = 'LATIN1';
	SELECT encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('zoo', NULL, NULL, 'tables', 'public.words')});
my ($words) = grep { $_->{kind} eq 'I' } messages(split_frames(pack 'H*', $captured));
is($words->{new}{t}, "\xc3\xa4\xc3\xb6\xc3\xbc", 'text is in the database\'s encoding');
is(substr($words->{new}{a}, -2), "\xc3\xa4", 'so is the text in an array');
is($words->{new}{x}, "<\xc3\xa4/>", 'so is XML');
is($words->{new}{v}, "\0\0\0\1\xc3\xb6\0\0\0", 'so is a text search vector');

done_testing();
