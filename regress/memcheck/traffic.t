#!/usr/bin/perl
# Others' regression tests as traffic at normal speed; then the server is started under valgrind, and slots of several
# options are read to their end.  `make memcheck` runs this, and judges what valgrind has found.
#
#	MEMCHECK_RUN_LOGS	the folder for what valgrind finds
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/../foreign";
use Foreign;
use SluiceTest;
use Test::More;

my $logs = $ENV{MEMCHECK_RUN_LOGS};
plan skip_all => 'is run by `make memcheck`' unless $logs;

my %options = (
	sluice_text => [qw(format=text messages=on definitions=on)],
	sluice_streamed => [qw(streaming=on compression=lz4 messages=on definitions=on)],
	sluice_values_as_text => [qw(text_tables=*.* definitions=on exclude_tables=pg_temp*.*)],
);

my $t = SluiceTest->new(destination => 0, source => { conf => $Foreign::settings . "
	wal_sender_timeout = 0
	max_wal_size = '4GB'
" });
my $foreign = Foreign->new($t, "$ENV{MEMCHECK}/library");
$foreign->log_whole_rows;
my @slots = sort keys %options;
$t->source_sql("SELECT pg_create_logical_replication_slot('$_', 'sluice')") for @slots;
$foreign->run;
my $end = $t->source_sql("SELECT pg_logical_emit_message(true, 'end', '')");
diag('decoding ' . $t->source_sql("SELECT pg_size_pretty('$end'::pg_lsn - min(restart_lsn)) FROM pg_replication_slots") . ' of WAL');
$t->source->stop;
{
	local $ENV{MEMCHECK_LOGS} = $logs;
	$t->source->start;
}
ok(scalar(glob "$logs/*.xml"), 'the server runs under valgrind');

# All of them at once.
my %reader = map {
	my $slot = $_;
	my $capture = $t->directory . "/$slot";
	$slot => IPC::Run::start([ 'pg_recvlogical', '-d', $t->source_conninfo, '--slot', $slot, '--start', '--no-loop', '--endpos', $end,
		'-f', $capture, map { ('-o', $_) } @{ $options{$slot} } ], '2>', $t->directory . "/$slot.err", IPC::Run::timeout(6 * 3600));
} @slots;
for my $slot (@slots)
{
	my $capture = $t->directory . "/$slot";
	ok($reader{$slot}->finish, "$slot is read to its end") or diag(PostgreSQL::Test::Utils::slurp_file("$capture.err"));
	cmp_ok(-s $capture, '>', 1_000_000, "$slot: " . (-s $capture) . ' bytes');
	next if $slot eq 'sluice_text';
	my $decoded = SluiceTest::command([ 'sh', '-c', '"$1" decode "$2" > /dev/null', 'sh', $t->program, $capture ]);
	is($decoded->{status}, 0, "$slot: all of it can be decoded") or diag($decoded->{stderr});
}
$t->source->stop;
done_testing();
