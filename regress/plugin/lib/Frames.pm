# A second reader of the change format, written from its description in
# common/change.h and sharing no code with the first.  It knows what the
# plugin's tests need: frames, relations, rows.
package Frames;

use strict;
use warnings;

use Exporter qw(import);
our @EXPORT = qw(split_frames read_messages FRAME_OPEN FRAME_LZ4 FRAME_PART FRAME_LINKED);

use constant { FRAME_LZ4 => 1, FRAME_OPEN => 2, FRAME_PART => 4, FRAME_LINKED => 8, ROW_NULLS => 1, ROW_UNCHANGED => 2, COLUMN_KEY => 1 };

my ($data, $pos);	# the body in hand

sub take
{
	my ($bytes) = @_;
	die "the body ends too early\n" if $pos + $bytes > length $data;
	$pos += $bytes;
	return substr $data, $pos - $bytes, $bytes;
}

sub u8 { return unpack 'C', take(1); }

sub varint
{
	my ($value, $shift) = (0, 0);
	while (1)
	{
		my $byte = u8();
		$value |= ($byte & 0x7f) << $shift;
		return $value if $byte < 0x80;
		$shift += 7;
	}
}

sub signed
{
	my $folded = varint();
	return $folded & 1 ? -($folded >> 1) - 1 : $folded >> 1;
}

sub string { return take(varint()); }

# A block of lz4: literals and copies of what came before, in turns; behind the window that it may refer to.
sub unpack_lz4
{
	my ($block, $window) = @_;
	my ($at, $out) = (0, $window);
	my $more = sub {
		my ($length) = @_;
		return $length if $length < 15;
		my $byte;
		do { $byte = ord substr $block, $at++, 1; $length += $byte; } while $byte == 255;
		return $length;
	};
	while (1)
	{
		my $token = ord substr $block, $at++, 1;
		my $literals = $more->($token >> 4);
		$out .= substr $block, $at, $literals;
		$at += $literals;
		return substr $out, length $window if $at == length $block;
		die "a compressed body ends too early\n" if $at + 2 > length $block;
		my $distance = unpack 'v', substr $block, $at, 2;
		$at += 2;
		my $copied = 4 + $more->($token & 15);
		die "a compressed body is malformed\n" if $distance == 0 || $distance > length $out;
		my $pattern = substr $out, -$distance;
		$pattern x= 1 + int $copied / $distance;
		$out .= substr $pattern, 0, $copied;
	}
}

my $window = ''; # the last compressed bodies

# Bytes as a list of { flags, body, sent }; dies where they are not whole frames.
# A body is as it was before compression, `sent` the bytes that came.  Compressed frames are to come in their order.
sub split_frames
{
	my ($bytes) = @_;
	my @frames;
	while (length $bytes)
	{
		my ($magic, $flags, $length) = unpack 'a C N', $bytes;
		die "no frame at this place\n" unless $magic eq 'S' && length $bytes >= 6 + $length;
		my $head = $flags & FRAME_LZ4 ? 10 : 6;
		my $body = substr $bytes, $head, $length;
		if ($flags & FRAME_LZ4)
		{
			$window = '' unless $flags & FRAME_LINKED;
			die "a frame refers to what did not come\n" if $flags & FRAME_LINKED && $window eq '';
			$body = unpack_lz4($body, $window);
			die "a compressed body has not the length it claims\n" unless length $body == unpack 'x6 N', $bytes;
			$window .= $body;
			$window = substr $window, -65536 if length $window > 65536;
		}
		push @frames, { flags => $flags, body => $body, sent => $head + $length };
		$bytes = substr $bytes, $head + $length;
	}
	return @frames;
}

sub relation
{
	my %relation = (number => varint(), oid => varint(), schema => string(), name => string(),
		identity => take(1), flags => u8());
	for (1 .. varint())
	{
		my %column;
		$column{$_} = $_ eq 'name' || $_ =~ /^type_/ ? string() : $_ eq 'typmod' ? signed() :
		  $_ eq 'typtype' ? take(1) : $_ eq 'flags' ? u8() : varint()
		  for qw(attnum name type base_type typmod typtype flags width type_schema type_name);
		push @{ $relation{columns} }, \%column;
	}
	$relation{leaves} = [ map { varint() } 1 .. varint() ];
	for (1 .. varint()) { varint(); string(); }
	return \%relation;
}

# The values by name: bytes, undef for NULL, a reference to 'unchanged'.
sub row
{
	my ($relation, $key_only) = @_;
	my @columns = grep { !$key_only || $_->{flags} & COLUMN_KEY } @{ $relation->{columns} // [] };
	my $bytes = int((@columns + 7) / 8);
	my $flags = u8();
	my $nulls = $flags & ROW_NULLS ? take($bytes) : "\0" x $bytes;
	my $unchanged = $flags & ROW_UNCHANGED ? take($bytes) : "\0" x $bytes;
	my %row;
	for my $i (0 .. $#columns)
	{
		my $column = $columns[$i];
		$row{ $column->{name} } = vec($nulls, $i, 1) ? undef
		  : vec($unchanged, $i, 1) ? \'unchanged'
		  : take($column->{width} || varint());
	}
	return \%row;
}

sub old_row
{
	my ($relation, $kind) = @_;
	return $kind == 1 || $kind == 2 ? row($relation, $kind == 1) : undef;
}

# The messages of one frame's body; `relations` keeps descriptions by number.
sub read_messages
{
	(my $relations, $data) = @_;
	my @messages;
	$pos = 0;
	while ($pos < length $data)
	{
		my %m = (kind => take(1));
		if ($m{kind} eq 'H')
		{
			@m{qw(version server encoding database)} = (varint(), varint(), string(), string());
			$m{options} = { map { my $name = string(); ($name => string()) } 1 .. varint() };
		}
		elsif ($m{kind} eq 'R') { $m{relation} = relation(); $relations->{ $m{relation}{number} } = $m{relation}; }
		elsif ($m{kind} eq 'B') { $m{xid} = varint(); signed(); signed(); }
		elsif ($m{kind} eq 'C') { varint(); }
		elsif ($m{kind} eq 'M') { @m{qw(flags lsn prefix content)} = (u8(), take(8), string(), string()); }
		elsif ($m{kind} eq 'N')
		{
			$m{flags} = u8();
			for (1 .. varint())
			{
				my %definition = (oid => varint(), what => u8());
				$definition{relation} = varint() if $definition{what} == 0;
				push @{ $m{definitions} }, \%definition;
			}
		}
		elsif ($m{kind} eq 'T') { $m{flags} = u8(); for (1 .. varint()) { varint(); string(); } }
		elsif ($m{kind} =~ /[sx]/) { $m{xid} = varint(); }
		elsif ($m{kind} eq 'e') { }
		elsif ($m{kind} eq 'c') { $m{xid} = varint(); signed(); varint(); signed(); }
		elsif ($m{kind} eq 'a') { @m{qw(xid subxid)} = (varint(), varint()); }
		elsif ($m{kind} =~ /[IUD]/)
		{
			$m{relation} = $relations->{ varint() } or die "a relation that was not described\n";
			if ($m{kind} ne 'I') { $m{old_kind} = u8(); $m{old} = old_row($m{relation}, $m{old_kind}); }
			$m{new} = row($m{relation}, 0) if $m{kind} ne 'D';
		}
		else { die "a message of kind $m{kind}\n"; }
		push @messages, \%m;
	}
	return @messages;
}

1;
