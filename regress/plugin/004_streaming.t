#!/usr/bin/perl
# Changes of transactions in progress: put together again they are what comes
# without streaming, whatever overlaps, is rolled back or altered meanwhile.
#
#	SEED	of the random histories
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/lib";
use Frames;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0, source => { conf => 'logical_decoding_work_mem = 64kB' });
my $directory = $t->directory;

if ($t->source->{_pg_version} < 14)
{
	$t->source_sql("SELECT pg_create_logical_replication_slot('s', 'sluice')");
	my ($status, undef, $error) = SluiceTest::psql_try($t->source_conninfo,
		"SELECT pg_logical_slot_get_changes('s', NULL, NULL, 'format', 'text', 'streaming', 'on')");
	like($error, qr/PostgreSQL 14 and later/, 'what the server cannot do is refused');
	done_testing();
	exit;
}

sub read_file
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file> // '';
}

# ---- what a slot holds

sub lines
{
	my ($slot, @options) = @_;
	my $options = join '', map { ", '$_'" } 'format', 'text', 'messages', 'on', @options;
	return grep { !/^startup: / } split /\n/, $t->source_sql("SELECT data FROM pg_logical_slot_peek_changes('$slot', NULL, NULL$options)");
}

sub forget
{
	my ($slot) = @_;
	$t->source_sql("SELECT count(*) FROM pg_logical_slot_get_binary_changes('$slot', NULL, NULL)");
}

# Transactions in the order of their commits, as text: "commit LSN, end, time",
# the changes.  Dies where the lines make no sense.
my %seen;
sub transactions
{
	my (%open, $block, $owner, $plain, @out);
	%seen = (blocks => 0, aborts => 0, subaborts => 0, commits => 0, most_open => 0);
	for (@_)
	{
		if (/^BEGIN \d+ \(commit at (\S+), (.*)\)$/) { die "BEGIN in a block\n" if defined $block; $plain = [ $1, $2 ]; }
		elsif (/^COMMIT \(end (\S+)\)$/)
		{
			push @out, join "\n", "$plain->[0] $1 $plain->[1]", splice @$plain, 2;
			undef $plain;
		}
		elsif (/^stream start: (\d+)$/)
		{
			die "a block within a transaction\n" if defined $block || $plain;
			($block, $owner) = ($1, $1);
			$open{$block} //= [];
			$seen{blocks}++;
			$seen{most_open} = keys %open if keys %open > $seen{most_open};
		}
		elsif (/^stream subtransaction: (\d+)$/) { die "outside a block: $_\n" unless defined $block; $owner = $1; }
		elsif (/^stream stop$/) { die "no block to stop\n" unless defined $block; undef $block; }
		elsif (/^stream abort: (\d+) \(subtransaction (\d+)\)$/)
		{
			die "$_: of which nothing was sent\n" if defined $block || !$open{$1};
			if ($1 == $2) { delete $open{$1}; $seen{aborts}++; }
			else { $open{$1} = [ grep { $_->[0] != $2 } @{ $open{$1} } ]; $seen{subaborts}++; }
		}
		elsif (/^stream commit: (\d+) \(commit at (\S+), end (\S+), (.*)\)$/)
		{
			die "$_: of which nothing was sent\n" if defined $block || !$open{$1};
			push @out, join "\n", "$2 $3 $4", map { $_->[1] } @{ delete $open{$1} };
			$seen{commits}++;
		}
		elsif (/^message: transactional: 0/) { die "in a block: $_" if defined $block; push @out, $_; }
		elsif (/^relation /) { die "outside of all: $_\n" unless defined $block || $plain; }
		elsif (defined $block) { push @{ $open{$block} }, [ $owner, $_ ]; }
		elsif ($plain) { push @$plain, $_; }
		else { die "outside of all: $_\n"; }
	}
	die "it ends within a block or a transaction\n" if defined $block || $plain;
	$seen{left} = keys %open;
	# One of which all was taken back is nothing without streaming.
	return grep { /\n|^message/ } @out;
}

sub same_ok
{
	my ($slot, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	# Who reads a slot by SQL waits for what is not flushed yet, and only a commit is flushed at once.
	$t->source_sql('SELECT txid_current()');
	my @off = transactions(lines($slot));
	my @on = transactions(lines($slot, 'streaming', 'on'));
	my $same = ok(join("\n", @on) eq join("\n", @off), "$name: the same with and without streaming");
	if (!$same)
	{
		my ($i) = grep { ($on[$_] // '') ne ($off[$_] // '') } 0 .. $#on + $#off + 1;
		diag("item $i of $#on or $#off:\n", map { substr($_ // 'none', 0, 1000) . "\n" } $on[$i], $off[$i]);
	}
	return @on;
}

# ---- one at a time

$t->source_sql(q{
	CREATE TABLE t (id int PRIMARY KEY, pad text);
	CREATE TABLE other (id int PRIMARY KEY, pad text);
	SELECT pg_create_logical_replication_slot('s', 'sluice');
	INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 1000) i;
});
my @all = same_ok('s', 'a large transaction');
is(scalar @all, 1, 'it is one');
cmp_ok($seen{blocks}, '>', 3, 'of many blocks');
is((grep { /^relation/ } lines('s', 'streaming', 'on')) + 0, 1, 'and one description');
is(scalar(lines('s', 'streaming', 'on', 'tables', 'public.other')), 0, 'nothing of it where nothing is selected');
is(scalar(lines('s', 'streaming', 'on', 'operations', 'delete')), 0, 'nor where the operation is left out');

$t->source_sql(q{BEGIN; INSERT INTO other SELECT i, repeat('o', 500) FROM generate_series(1, 500) i;
	INSERT INTO t VALUES (5000); INSERT INTO other SELECT i, repeat('o', 500) FROM generate_series(501, 1000) i; COMMIT});
is((grep { /^stream start/ } lines('s', 'streaming', 'on', 'tables', 'public.t', 'operations', 'insert')) - $seen{blocks}, 1,
	'a block without anything selected is left out');
forget('s');

$t->source_sql(q{
	BEGIN;
	INSERT INTO t SELECT i, repeat('y', 500) FROM generate_series(10001, 10500) i;
	ROLLBACK;
});
same_ok('s', 'one that is rolled back');
$t->source_sql("BEGIN; INSERT INTO other SELECT i, repeat('o', 500) FROM generate_series(2001, 3000) i; ROLLBACK");
is(scalar(lines('s', 'streaming', 'on', 'tables', 'public.none')), 0, 'nothing of it where nothing is selected');
forget('s');

$t->source_sql(q{
	BEGIN;
	INSERT INTO t VALUES (20000);
	SAVEPOINT a;
	INSERT INTO t SELECT i, repeat('a', 500) FROM generate_series(20001, 20500) i;
	SELECT pg_logical_emit_message(true, 'p', 'taken back');
	SAVEPOINT b;
	UPDATE t SET pad = repeat('b', 400) WHERE id BETWEEN 20001 AND 20500;
	RELEASE b;
	ROLLBACK TO a;
	SELECT pg_logical_emit_message(true, 'p', 'kept');
	SAVEPOINT c;
	INSERT INTO t SELECT i, repeat('c', 500) FROM generate_series(20001, 20300) i;
	SELECT pg_logical_emit_message(true, 'p', 'kept, too');
	RELEASE c;
	DELETE FROM t WHERE id = 20000;
	TRUNCATE other;
	INSERT INTO other SELECT i, repeat('d', 500) FROM generate_series(1, 300) i;
	COMMIT;
});
@all = same_ok('s', 'subtransactions');
unlike($all[0], qr/'taken back'/, 'the message of one that was rolled back');
like($all[0], qr/'kept'.*'kept, too'.*TRUNCATE/s, 'the messages of the others, and TRUNCATE');
cmp_ok($seen{subaborts}, '>', 0, 'some were streamed and taken back');
forget('s');

# ---- descriptions

$t->source_sql(q{
	BEGIN;
	ALTER TABLE t ADD COLUMN added int;
	INSERT INTO t SELECT i, repeat('x', 500), i FROM generate_series(30001, 30500) i;
	ROLLBACK;
	INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(30001, 30003) i;
	BEGIN;
	SAVEPOINT a;
	ALTER TABLE t ADD COLUMN added text;
	INSERT INTO t SELECT i, repeat('x', 500), 'text' FROM generate_series(31001, 31500) i;
	ROLLBACK TO a;
	CREATE TABLE made (id int PRIMARY KEY, pad text);
	INSERT INTO made SELECT i, repeat('m', 500) FROM generate_series(1, 300) i;
	ALTER TABLE made DROP COLUMN pad;
	INSERT INTO made SELECT i FROM generate_series(1001, 3000) i;
	INSERT INTO t VALUES (32001);
	COMMIT;
	INSERT INTO t VALUES (32002);
});
@all = same_ok('s', 'DDL that is rolled back');
my @numbers = map { /^relation .*?: number: (\d+)/ ? $1 : () } lines('s', 'streaming', 'on');
is(join(',', @numbers), join(',', 1 .. @numbers), 'descriptions are numbered in their order');
like($all[1], qr/table public.made: INSERT: id\[integer\]:3000\ntable public.t: INSERT: id\[integer\]:32001 pad\[text\]:null$/,
	'each change as its table was by then');
forget('s');

# ---- a rollback that the server finds in the middle of a change: it cannot
# look up a value of a type that never was

$t->source_sql(q{
	CREATE TYPE mood AS ENUM ('sad');
	CREATE TABLE moods (id int PRIMARY KEY, m mood, pad text);
	INSERT INTO moods VALUES (1, 'sad');
	BEGIN;
	INSERT INTO moods SELECT i, 'sad', repeat('s', 500) FROM generate_series(100, 150) i;
	ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
	INSERT INTO moods SELECT i, 'blue', repeat('b', 500) FROM generate_series(200, 500) i;
	ROLLBACK;
	INSERT INTO moods VALUES (2, 'sad');
	BEGIN;
	INSERT INTO moods SELECT i, 'sad', repeat('s', 500) FROM generate_series(1000, 1400) i;
	COMMIT;
});
@all = same_ok('s', 'a rollback that is found on the way');
is(scalar @all, 3, 'three remain');
forget('s');

# ---- many at once

srand(my $seed = $ENV{SEED} // 7);
my $sessions = 4;
my (@session, @depth);
my $next_id = 100_000;
$t->source_sql(join '', map { "CREATE TABLE own_$_ (id int PRIMARY KEY, v text, m mood);" } 0 .. $sessions - 1);
forget('s');
@session = map { $t->source->background_psql('shop', on_error_die => 1) } 1 .. $sessions;

# The next statements of a session, which never wait for another's.
sub step
{
	my ($n) = @_;
	my $dice = int rand 100;
	my $first = $next_id;
	my $last = $next_id += 5 + int rand 120;
	if (!defined $depth[$n]) { $depth[$n] = 0; return 'BEGIN'; }
	return "INSERT INTO t SELECT i, repeat('$n', 700) FROM generate_series($first, $last - 1) i" if $dice < 35;
	return "INSERT INTO own_$n SELECT i, repeat('o', 600), 'sad' FROM generate_series($first, $last - 1) i" if $dice < 45;
	return "UPDATE own_$n SET v = 'changed' WHERE id % 7 = " . int rand 7 if $dice < 52;
	return "UPDATE own_$n SET id = -id, v = repeat('k', 900) WHERE id % 11 = " . int rand 11 if $dice < 56;
	return "DELETE FROM own_$n WHERE id % 5 = " . int rand 5 if $dice < 60;
	return "TRUNCATE own_$n" if $dice < 61;
	return "ALTER TABLE own_$n ADD COLUMN c$first int DEFAULT 5" if $dice < 63;
	return "SELECT pg_logical_emit_message(true, 'session', '$n $first')" if $dice < 68;
	return "SELECT pg_logical_emit_message(false, 'session', '$n $first')" if $dice < 70;
	if ($dice < 80 && $depth[$n] < 4) { $depth[$n]++; return "SAVEPOINT s$depth[$n]"; }
	if ($dice < 88 && $depth[$n] > 0) { my $to = 1 + int rand $depth[$n]; $depth[$n] = $to; return "ROLLBACK TO s$to"; }
	if ($dice < 92 && $depth[$n] > 0) { my $to = 1 + int rand $depth[$n]; $depth[$n] = $to - 1; return "RELEASE s$to"; }
	if ($dice < 97) { undef $depth[$n]; return 'COMMIT'; }
	if ($dice < 99) { undef $depth[$n]; return 'ROLLBACK'; }
	return 'SELECT 1';
}

my %total;
for my $round (1 .. 4)
{
	for (1 .. 110)
	{
		my $n = int rand $sessions;
		$session[$n]->query_safe(step($n));
	}
	same_ok('s', "random histories $round (seed $seed)");
	$total{$_} += $seen{$_} for keys %seen;
	my $left = $t->source_sql("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'");
	cmp_ok($seen{left}, '<=', $left, 'what is open at the end has not ended');
	forget('s') if $round % 2;
}
note join ', ', map { "$_: $total{$_}" } sort keys %total;
# From 18 on the server looks first whether a transaction was rolled back by now.
cmp_ok($total{$_}, '>', 0, "there were $_") for qw(commits subaborts), $t->source->{_pg_version} < 18 ? 'aborts' : ();
cmp_ok($total{most_open}, '>', 5, 'several were open at a time');
$_->quit for @session;

# ---- the binary form

sub receive
{
	my ($slot, $end, @options) = @_;
	my $file = "$directory/$slot." . time . rand;
	my $result = SluiceTest::command([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', $slot, '--start',
		'--no-loop', '--endpos', $end, '-f', $file, map { ('-o', $_) } @options ]);
	is($result->{status}, 0, "pg_recvlogical reads $slot") or diag($result->{stderr});
	return $file;
}

$t->source_sql("SELECT pg_create_logical_replication_slot('$_', 'sluice')") for qw(text binary packed);
$t->source_sql(q{
	BEGIN; INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(50001, 51000) i;
	SAVEPOINT a; INSERT INTO t SELECT i, repeat('y', 5000) FROM generate_series(51001, 51100) i; ROLLBACK TO a;
	INSERT INTO other SELECT i, repeat('z', 500) FROM generate_series(50001, 51000) i; COMMIT;
	BEGIN; INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(52001, 53000) i; ROLLBACK;
	INSERT INTO t VALUES (54000);
});
my $end = $t->source_sql('SELECT pg_current_wal_lsn()');
my $binary = receive('binary', $end, 'format=binary', 'streaming=on', 'messages=on');
my $decoded = SluiceTest::command([ $t->program, 'decode', $binary ]);
is($decoded->{status}, 0, 'sluice decode reads it') or diag($decoded->{stderr});
ok($decoded->{stdout} eq read_file(receive('text', $end, 'format=text', 'streaming=on', 'messages=on')), 'and prints what the text form is');
my $packed = receive('packed', $end, 'streaming=on', 'messages=on', 'compression=lz4');
cmp_ok(-s $packed, '<', (-s $binary) / 2, 'compressed it is smaller');
my $unpacked = SluiceTest::command([ $t->program, 'decode', $packed ]);
ok($unpacked->{stdout} =~ s/compression='lz4'/compression='none'/r eq $decoded->{stdout}, 'and says the same');

my %relations;
my $inside = 0;
my @wrong;
my $open_frames = 0;
my $capture = read_file($binary);
while (length $capture)
{
	my ($length) = unpack 'x2 N', $capture;
	my ($frame) = split_frames(substr $capture, 0, 6 + $length);
	$capture = substr $capture, 7 + $length; # and a new line
	for my $message (read_messages(\%relations, $frame->{body}))
	{
		$inside = 1 if $message->{kind} =~ /[Bs]/;
		$inside = 0 if $message->{kind} =~ /[Ce]/;
	}
	push @wrong, $frame unless $inside == ($frame->{flags} & FRAME_OPEN ? 1 : 0);
	$open_frames += $inside;
}
is(scalar @wrong, 0, 'a frame is open where it ends within a block or a transaction, and nowhere else');

$t->source_sql(q{BEGIN; INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(60001, 60100) i;
	SELECT pg_logical_emit_message(true, 'p', repeat('m', 200000)); SELECT pg_logical_emit_message(true, 'p', repeat('m', 200000)); COMMIT});
my $hex = $t->source_sql("SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('binary', NULL, NULL, 'streaming', 'on', 'messages', 'on')");
ok((grep { $_->{flags} & FRAME_OPEN } map { split_frames(pack 'H*', $_) } split /\n/, $hex) > 0, 'a block may take several frames');

# ---- while a client listens: rollbacks that the server notices on the way

$t->source_sql("SELECT pg_create_logical_replication_slot('live', 'sluice')");
my $live = "$directory/live.bin";
defined(my $client = fork) or die;
if (!$client)
{
	open STDERR, '>', "$directory/live.log";
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	exec 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'live', '--start', '--no-loop', '-o', 'streaming=on',
	  '-o', 'format=text', '-o', 'messages=on', '-F', '0', '-f', $live or POSIX::_exit(127);
}
@session = map { $t->source->background_psql('shop', on_error_die => 1) } 1 .. 2;
for my $round (1 .. 12)
{
	my $from = 1_000_000 + $round * 10_000;
	my $xid = $session[0]->query_safe("BEGIN; ALTER TABLE own_0 ADD COLUMN r$round int;
		INSERT INTO own_0 (id, v, m) SELECT i, repeat('r', 600), 'sad' FROM generate_series($from, $from + 300) i;
		SELECT txid_current()");
	$session[1]->query_safe("BEGIN; ALTER TYPE mood ADD VALUE 'mood $round';
		INSERT INTO own_1 (id, v) SELECT i, repeat('r', 600) FROM generate_series($from, $from + 300) i") if $round % 3;
	# Now and then what is rolled back was sent for certain.
	SluiceTest::poll(sub { read_file($live) =~ /^stream start: $xid$/m }) if $round % 5 == 1;
	$session[0]->query_safe("INSERT INTO own_0 (id, v, m) SELECT i, repeat('r', 600), 'sad' FROM generate_series($from + 400, $from + 600) i;"
		. ($round % 4 ? 'ROLLBACK' : 'COMMIT'));
	$session[1]->query_safe($round % 2 ? 'ROLLBACK' : 'COMMIT') if $round % 3;
}
$_->quit for @session;
$t->source_sql("SELECT pg_logical_emit_message(false, 'p', 'the end')");
$t->poll_ok(sub { read_file($live) =~ /'the end'/ }, 'the stream goes on to its end');
kill 'INT', $client;
waitpid $client, 0;
is($?, 0, 'pg_recvlogical ends well') or diag(read_file("$directory/live.log"));
my @live = transactions(grep { !/^startup/ } split /\n/, read_file($live));
my %streamed = %seen;
my @plain = transactions(lines('binary'));
splice @plain, 0, @plain - @live;
is_deeply(\@live, \@plain, 'and says the same as one without streaming');
cmp_ok($streamed{aborts}, '>', 0, 'some were rolled back in front of it');
is($streamed{left}, 0, 'none is left open');

done_testing();
