#!/usr/bin/perl
# The verb decode: captures as pg_recvlogical writes them and as they may be
# found, whole, cut, damaged and endless.  Needs no server.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use IO::Select;
use IPC::Open3;
use Symbol 'gensym';
use Test::More;

my $program = "$SluiceTest::build/sluice";
my $directory = PostgreSQL::Test::Utils::tempdir('decode');
my $files = 0;

sub file_with
{
	my ($bytes) = @_;
	my $path = "$directory/capture-" . ++$files;
	open my $file, '>:raw', $path or die "cannot write $path: $!";
	print $file $bytes;
	close $file or die "cannot write $path: $!";
	return $path;
}

sub frame
{
	my ($body, $flags) = @_;
	return pack 'aCNa*', 'S', $flags // 0, length $body, $body;
}

sub decode { return SluiceTest::command([ $program, 'decode', file_with($_[0]) ]); }

# The last line on standard error.
sub complaint { return ($_[0]->{stderr} =~ /([^\n]*)\n*\z/)[0]; }

my $startup = pack 'H*', '480284940904555446380473686f7000';
my $startup_line = "startup: version: 2 server: 150020 encoding: 'UTF8' database: 'shop' options: (none)";
my $begin = pack 'H*', '42dd0590ddd91600';
my $begin_line = 'BEGIN 733 (commit at 0/16B3748, 2000-01-01 00:00:00+00)';
my $commit = pack 'H*', '4338';
my $commit_line = 'COMMIT (end 0/16B3780)';
my $all_lines = "$startup_line\n$begin_line\n$commit_line\n";

# ---- whole captures

my $result = decode(frame($startup . $begin . $commit));
is($result->{status}, 0, 'a frame');
is($result->{stdout}, $all_lines, 'its lines');
is($result->{stderr}, '', 'and nothing else');

$result = decode(join '', map { frame($_) . "\n" } $startup, $begin, $commit);
is($result->{stdout}, $all_lines, 'frames with a new line behind each');
is($result->{status}, 0, 'are a capture');

$result = decode(frame($startup) . "\n" . frame($begin) . frame($commit));
is($result->{stdout}, $all_lines, 'new lines here and there');

# The new line behind a frame is one of pg_recvlogical's; one inside is not.
my $message = pack 'H*', '4d000000000000000000' . '010a' . '010a';
$result = decode(frame($startup . $message) . "\n" . frame($message));
is((grep { $_ eq q(message: transactional: 0 lsn: 0/0 prefix: E'\n' size: 1 content: E'\n') } split /\n/,
		$result->{stdout}) + 0, 2, 'a new line in a message');

$result = decode('');
is($result->{status}, 0, 'an empty capture');
is($result->{stdout} . $result->{stderr}, '', 'says nothing');

$result = SluiceTest::command(
	[ 'sh', '-c', 'exec "$0" decode <"$1"', $program, file_with(frame($startup . $begin . $commit)) ]);
is($result->{status}, 0, 'standard input');
is($result->{stdout}, $all_lines, 'gives the same lines');

my $many = frame($startup) . frame("$begin$commit" x 20_000) . frame("$begin$commit") x 500;
$result = decode($many);
is($result->{status}, 0, 'a large frame and many small ones');
is(($result->{stdout} =~ tr/\n//), 41_001, 'all their lines');

# ---- captures that are cut or damaged: what is whole is printed first

my $whole = frame($startup . $begin) . "\n";
my $last = frame($commit);
for my $len (1 .. length($last) - 1)
{
	$result = decode($whole . substr $last, 0, $len);
	is_deeply(
		[ $result->{status}, $result->{stdout} ],
		[ 1, "$startup_line\n$begin_line\n" ],
		"cut behind byte $len of a frame");
	like(complaint($result), qr/ends in the middle of the frame at byte ${\ length $whole}\b/, 'says where');
}

$result = decode($whole . frame($commit . 'Z'));
is($result->{status}, 1, 'a message of an unknown kind');
is($result->{stdout}, $all_lines, 'is printed up to there');
like(complaint($result), qr/byte ${\ (length($whole) + 6 + length $commit)}\b.*unknown kind/, 'says where');

$result = decode("${whole}garbage");
is($result->{status}, 1, 'garbage between frames');
is($result->{stdout}, "$startup_line\n$begin_line\n", 'comes after what is whole');
like(complaint($result), qr/no frame begins at byte ${\ length $whole}\b/, 'says where');

$result = decode("BEGIN 733\nCOMMIT 733\n");
is($result->{status}, 1, 'a capture in text format');
like(complaint($result), qr/no frame begins at byte 0\b.*format=binary/, 'says what is wanted');

$result = decode(frame($begin));
is($result->{status}, 1, 'a capture without its beginning');
like(complaint($result), qr/byte 6\b.*startup/, 'says so');

# ---- compressed frames, of blocks that are all literals

sub compressed
{
	my ($body, $claimed) = @_;
	my $block = chr(length($body) < 15 ? length($body) << 4 : 0xf0) . (length($body) < 15 ? '' : chr(length($body) - 15)) . $body;
	return pack 'aCNNa*', 'S', 1, length $block, $claimed // length $body, $block;
}

$result = decode(compressed($startup) . "\n" . compressed($begin) . frame($commit));
is($result->{status}, 0, 'compressed frames');
is($result->{stdout}, $all_lines, 'are read as any');

my $before = frame($startup);
$result = decode($before . compressed($commit, 3));
is($result->{status}, 1, 'a compressed frame of another length');
is($result->{stdout}, "$startup_line\n", 'comes after what is whole');
like(complaint($result), qr/body begins at byte ${\ (10 + length $before)}\b.*damaged/, 'says where');

$result = decode($before . compressed($commit . 'Z'));
is($result->{status}, 1, 'an unknown message in a compressed frame');
like(complaint($result), qr/body begins at byte ${\ (10 + length $before)}\b.*unknown kind/, 'says where');

$result = SluiceTest::command([ $program, 'decode', "$directory/missing" ]);
is($result->{status}, 1, 'a missing file');
like(complaint($result), qr/could not open .*missing.*No such file/, 'says so');

$result = SluiceTest::command([ $program, 'decode', $directory ]);
is($result->{status}, 1, 'a folder');
like(complaint($result), qr/could not read.*directory/, 'says so');

# ---- output that cannot be written

SKIP:
{
	skip 'no /dev/full here', 2 unless -w '/dev/full';
	my $path = file_with(frame($startup . $begin . $commit));
	$result = SluiceTest::command([ 'sh', '-c', 'exec "$0" decode "$1" >/dev/full', $program, $path ]);
	is($result->{status}, 1, 'a full disk');
	like(complaint($result), qr/standard output.*No space left/, 'says so');
}

# ---- a running capture: each message is printed when it is there

my $pid = open3(my $in, my $out, my $err = gensym, $program, 'decode');
binmode $in;
my $ready = IO::Select->new($out);

sub next_line
{
	return 'no line in time' unless $ready->can_read($SluiceTest::deadline_s);
	sysread $out, my $text, 65536;
	return $text;
}
syswrite $in, frame($startup);
is(next_line(), "$startup_line\n", 'the first message of a pipe');
syswrite $in, "\n" . frame($begin);
is(next_line(), "$begin_line\n", 'the second one, before the pipe ends');
close $in;
waitpid $pid, 0;
is($? >> 8, 0, 'the end of the pipe');

done_testing();
