#!/usr/bin/perl
# The daemon as a service of systemd: what it tells the service manager and how
# it logs to the journal.  No server is needed: the daemon waits for both.
use strict;
use warnings;

use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;

my $program = "$ENV{SLUICE_BUILD}/sluice";
my $folder = tempdir(CLEANUP => 1);
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$folder/notify") or die "cannot listen: $!";

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', "$folder/$name" or die "cannot write $name: $!";
	print $file $text;
	close $file;
}

write_file('task.yaml', <<"YAML");
task: service
source: {conninfo: "host=127.0.0.1 port=1 dbname=none"}
destination: {conninfo: "host=127.0.0.1 port=1 dbname=none"}
tables: {include: ["public.*"]}
apply: {spill_directory: $folder/spill}
YAML
write_file('log', '');

# Standard error is a file here; what matters is that JOURNAL_STREAM names it.
my ($device, $inode) = (stat "$folder/log")[ 0, 1 ];
my $pid = fork // die "cannot fork: $!";
if ($pid == 0)
{
	$ENV{NOTIFY_SOCKET} = "$folder/notify";
	$ENV{WATCHDOG_USEC} = 400_000;
	$ENV{JOURNAL_STREAM} = "$device:$inode";
	open STDERR, '>>', "$folder/log" or die;
	exec $program, 'run', '-c', "$folder/task.yaml" or die;
}

my @heard;

# What the daemon says, until one of it matches; undef when a minute passes without it.
sub hear
{
	my ($pattern) = @_;
	my ($select, $until) = (IO::Select->new($socket), time + 60);
	while (time < $until)
	{
		next unless $select->can_read(1);
		$socket->recv(my $message, 4096);
		push @heard, $message;
		return $message if $message =~ $pattern;
	}
	return undef;
}

ok(hear(qr/^READY=1$/), 'ready though neither server is there');
ok(hear(qr/^STATUS=retrying: cannot connect to the destination: /), 'says what it waits for');
ok(hear(qr/^WATCHDOG=1$/), 'answers the watchdog') for 1 .. 2;
is((grep { /^READY/ } @heard), 1, 'ready once');

kill TERM => $pid;
ok(hear(qr/^STOPPING=1$/), 'says that it stops');
waitpid $pid, 0;
is($?, 0, 'and ends with 0');

open my $log, '<', "$folder/log" or die;
my @lines = <$log>;
ok(@lines > 0, 'it has logged');
is_deeply([ grep { !/^<[3467]>\D/ } @lines ], [], 'with priorities and without times, which the journal has');

done_testing();
