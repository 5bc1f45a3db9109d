#!/usr/bin/perl
# The process and its surroundings: SIGHUP, standard streams that are closed or cannot be written, a folder that
# others may write to, and control characters on their way to a terminal.
use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(qq{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10) i;
	CREATE TABLE "ev\x{9b}31m\x{202e}il" (id int);
});
my $config = $t->configure({ initial_copy => { existing => 'append' } });

# ---- output

sub shell
{
	my ($name, $status, $redirections, @arguments) = @_;
	my $result = SluiceTest::command([ 'sh', '-c', 'exec "$@" ' . $redirections, 'sh', $t->program, @arguments ], {});
	is($result->{status}, $status, $name);
	return $result;
}

for my $arguments (['--version'], ['--help'], [ 'schema', '-c', $config ], [ 'status', '--json', '-c', $config ])
{
	my $result = shell("@$arguments[0] to a full device", 1, '>/dev/full', @$arguments);
	like($result->{stderr}, qr/could not write to standard output/, 'it says so');
}

my $said = $t->sluice('check')->{stdout};
like($said, qr/ev\\u009b31m\\u202eil/, 'control characters of names are shown as escapes');
unlike($said, qr/\xC2\x9B|\xE2\x80\xAE/, 'none is printed');

# ---- closed streams

shell('a verb without standard streams', 0, '<&- >&- 2>&-', 'schema', '-c', $config);
$t->configure({ tables => { include => ['public.t'] } });
shell('a run without standard streams', 0, '<&- >&- 2>&-', 'run', '-c', $config, '--until', 'current');
$t->equal_ok('public.t');

# ---- SIGHUP

# Without a terminal, as a service has it.
my $log = $t->directory . '/daemon.log';
my $pid = SluiceTest::_spawn([ 'setsid', $t->program, 'run', '-c', $config ], '/dev/null', $log, $log);
my $read = sub { return SluiceTest::_slurp($log) };
ok(SluiceTest::poll(sub { $read->() =~ /streaming from/ }), 'it streams');
$t->configure({ tables => { include => ['public.t'] }, log => { level => 'debug' } });
kill 'HUP', $pid;
ok(SluiceTest::poll(sub { $read->() =~ /the configuration was read again/ }), 'SIGHUP is a reload');
like($read->(), qr/debug +destination \d+: [\d.]+ ms: BEGIN/, 'the level debug has the time of statements')
  if $t->source_sql(q{INSERT INTO t VALUES (11, 'x')}) eq '' && $t->wait_applied_ok;
$t->configure("task: [nonsense\n");
kill 'HUP', $pid;
ok(SluiceTest::poll(sub { $read->() =~ /warning SIGHUP: the configuration in force stays: .*sluice\.yaml/ }),
	'one with a mistake changes nothing');
is(kill(0, $pid), 1, 'and ends nothing');
$t->configure({ tables => { include => ['public.t'] } });
is($t->sluice('stop')->{status}, 0, 'it can be stopped');
waitpid $pid, 0;
is($? >> 8, 0, 'with success');

# ---- a folder that others may write to

my $open = $t->directory . '/open';
mkdir $open or die;
chmod 0777, $open or die;
$t->configure({ tables => { include => ['public.t'] }, apply => { spill_directory => $open } });
like($t->run_ok('check')->{stdout}, qr/^warning +spill_directory +everybody may replace files in the folder/m, 'check warns');
like($t->run_ok('run', '--until', 'current')->{stderr}, qr/everybody may replace files in the folder ".*"; .*the verbs that steer|everybody may replace files/,
	'no socket is opened there');
is_deeply([ glob "$open/*" ], [], 'nothing is left there');

done_testing();
