# Used by the end-to-end and the plugin tests: a throw-away source, a
# throw-away destination, the program between the two, and comparisons.
#
#	use FindBin;
#	use lib "$FindBin::RealBin/../lib";
#	use SluiceTest;
#	use Test::More;
#
#	my $t = SluiceTest->new;
#	$t->source_sql('CREATE TABLE t (id int PRIMARY KEY, v text)');
#	$t->configure;
#	$t->run_ok('run', '--until', 'current');
#	$t->equal_ok('public.t');
#	done_testing();
#
# The runner (regress/run) sets these environment variables:
#
#	SLUICE_BUILD   the folder with the program and the plugin to be tested
#	PG_CONFIG      the server that the clusters are made with
#	DESTINATION    conninfo of a server to use instead of a throw-away
#	               destination; every test makes and drops its own database
#
# Without a runner, build/ and pg_config of the PATH are taken.
package SluiceTest;

use strict;
use warnings;

use Carp;
use Cwd qw(abs_path);
use File::Basename;
use IO::Socket::INET;
use IPC::Run;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(sleep time);

our ($top, $build, $bindir);
my $user; # of a user's own destination that does not name one

BEGIN
{
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	$user = $ENV{PGUSER} || getpwuid $<;
	$top = abs_path(dirname(__FILE__) . '/../..');
	$build = $ENV{SLUICE_BUILD} || "$top/build";
	chomp($bindir = `$pg_config --bindir`);
	chomp(my $pgxs = `$pg_config --pgxs`);
	my $test = abs_path(dirname($pgxs) . '/../test') or die "no test library beside $pgxs";
	$ENV{PATH} = "$bindir:$ENV{PATH}";
	$ENV{PG_REGRESS} ||= "$test/regress/pg_regress";
	unshift @INC, "$test/perl";

	# Since 16 the library asks for two folders. Without them all tests would share one, also two of the same name.
	@ENV{qw(TESTDATADIR TESTLOGDIR)} = ("$ENV{TESTDIR}/tmp_check", "$ENV{TESTDIR}/tmp_check/log") if $ENV{TESTDIR};

	# A test that is interrupted takes its servers down.
	$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { die "interrupted by SIG$_[0]\n" };

	# PostgreSQL::Test sends standard error to a log file; why a test dies must be visible.
	$SIG{__DIE__} = sub { diag("died: $_[0]") if defined $^S && !$^S; };
}

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();

INIT
{
	my $kept = $PostgreSQL::Test::Utils::log_path;
	die "the test library keeps its logs in $kept, not in TESTDIR" if $ENV{TESTDIR} && index $kept, $ENV{TESTDIR};
}

# A server that cannot be started fails its own test, with the reason; the library would end all other tests, too.
{
	no warnings 'redefine';
	*PostgreSQL::Test::Cluster::BAIL_OUT = sub {
		die join "\n", "@_", map { ("the end of $_:", substr _slurp($_), -600) } glob "$PostgreSQL::Test::Utils::log_path/*.log";
	};
}

# How many seconds anything may take before a test gives up; long, for a loaded machine.
our $deadline_s = $PostgreSQL::Test::Utils::timeout_default;

# After the first timeout later waits are shorter.
my $gave_up;
sub patience { return $gave_up ? 10 : $deadline_s; }

# Random choices are the same for the same SEED, which a failing test prints.
our $seed = length($ENV{SEED} // '') ? $ENV{SEED} : int(time * 1000) % 1_000_000;
srand $seed;

# Both ends print values in the same way, whatever the servers' settings.
my $text_settings = join ' ', map { "-c $_" } qw(
  datestyle=ISO intervalstyle=postgres timezone=UTC extra_float_digits=3
  bytea_output=hex lc_monetary=C client_min_messages=warning);

my @running;	# pids of background programs, for the END block
my $made = 0;	# how many destination databases this test made
my @databases;	# [conninfo of the server, name] to drop at the end

# Makes and starts the clusters.  Options:
#
#	source => { conf => "...", encoding => 'UTF8', database => 'shop', tcp => 1, name => '...' }
#	destination => { the same } | 0 for none
#	task => name of the task
sub new
{
	my ($class, %options) = @_;
	my $self = bless {
		task => $options{task} // 'test',
		directory => abs_path(PostgreSQL::Test::Utils::tempdir('sluice')),
		runs => 0,
	}, $class;
	$self->{source} = $self->_start_cluster('source', $options{source} // {});
	if (!exists $options{destination} || $options{destination})
	{
		$self->_start_destination($options{destination} // {});
	}
	return $self;
}

# The clusters, as PostgreSQL::Test::Cluster objects; the destination is undef
# where the user's own server is used.
sub source { return $_[0]->{source}{cluster}; }
sub destination { return $_[0]->{destination}{cluster}; }

sub source_conninfo { return $_[0]->{source}{conninfo}; }
sub destination_conninfo { return $_[0]->{destination}{conninfo}; }

# A directory for the test's files, removed at the end.
sub directory { return $_[0]->{directory}; }
sub program { return "$build/sluice"; }

# Whether the tests run with sanitizers, which make the program several times slower.
sub sanitized { return $build =~ /-asan$/; }

sub _start_cluster
{
	my ($self, $name, $options) = @_;
	my $cluster = PostgreSQL::Test::Cluster->new($options->{name} // $name);
	my $database = $options->{database} // 'shop';
	$ENV{PGUSER} = 'postgres'; # not the operating system's user
	$cluster->init(
		allows_streaming => 'logical',
		extra => [ '-U', 'postgres', '-E', $options->{encoding} // 'UTF8', '--locale', $options->{locale} // 'C.UTF-8' ]);
	$cluster->append_conf('postgresql.conf', _server_settings($cluster));
	$cluster->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'") if $options->{tcp};
	$cluster->append_conf('postgresql.conf', $options->{conf}) if $options->{conf};
	$cluster->start;
	$cluster->safe_psql('postgres', qq(CREATE DATABASE "$database"));
	return {
		cluster => $cluster,
		conninfo => $cluster->connstr($database) . ' user=postgres',
		version => $cluster->safe_psql('postgres', 'SHOW server_version_num'),
	};
}

sub _server_settings
{
	my ($cluster) = @_;
	my $settings = "
		log_statement = none
		shared_buffers = 64MB
		max_connections = 100
		max_wal_senders = 20
		max_replication_slots = 20
		max_worker_processes = 20
		max_wal_size = 1GB
		dynamic_library_path = '$build/plugin:\$libdir'
	";
	$settings .= "output_plugin_libraries = 'sluice, pgoutput, test_decoding'\n"
	  if knows_setting('output_plugin_libraries');
	return $settings;
}

# Whether the server that the clusters are made with knows a setting.
sub knows_setting
{
	my ($name) = @_;
	my $described = `"$bindir/postgres" --describe-config`;
	$described or die "$bindir/postgres --describe-config printed nothing";
	return $described =~ /^\Q$name\E\t/m;
}

sub _start_destination
{
	my ($self, $options) = @_;
	my $server = $ENV{DESTINATION};
	if (!$server)
	{
		$self->{destination} = $self->_start_cluster('destination', $options);
		return;
	}
	die "DESTINATION is to be written as key=value pairs\n" unless $server =~ /^\s*\w+\s*=/;
	$server .= " user=$user" unless $server =~ /\buser\s*=/;
	my $database = sprintf 'sluice_test_%d_%d', $$, ++$made;
	psql($server, "CREATE DATABASE $database");
	push @databases, [ $server, $database ];
	$self->{destination} = { conninfo => "$server dbname=$database" };
}

# Whether the destination is a user's server, not a cluster of this test.
sub destination_is_external { return !!$ENV{DESTINATION}; }

# Skips the test file, with a reason, if the destination is a user's server:
# since it stops the server, or needs something that only PostgreSQL has.
sub needs_own_destination
{
	my ($why) = @_;
	plan skip_all => "needs a destination of its own: $why" if destination_is_external();
}

sub destination_version
{
	my ($self) = @_;
	return $self->{destination}{version} //= $self->destination_sql('SHOW server_version_num');
}

sub destination_is_greenplum
{
	my ($self) = @_;
	return $self->{destination}{greenplum} //=
	  $self->destination_sql(q{SELECT count(*) FROM pg_class WHERE oid = to_regclass('pg_catalog.gp_distribution_policy')});
}

# Whether it is of Greenplum's generation 6: the catalogs and the SQL of PostgreSQL 9.4, whatever its name.
sub destination_is_greenplum6
{
	my ($self) = @_;
	return $self->destination_is_greenplum && $self->destination_version < 100000;
}

# Runs SQL and returns what psql prints: unaligned, tuples only, no final new
# line.  Dies where a statement fails.
sub psql
{
	my ($conninfo, $sql) = @_;
	my ($status, $out, $err) = psql_try($conninfo, $sql);
	croak "psql failed: $err\nin: " . substr($sql, 0, 2000) if $status != 0;
	return $out;
}

# The same without dying: (exit status, output, messages).
sub psql_try
{
	my ($conninfo, $sql) = @_;
	local $ENV{PGOPTIONS} = $text_settings;
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	my ($out, $err) = ('', '');
	# A file, not a pipe: a psql that cannot connect reads nothing.
	open my $file, '+>', undef or die "cannot make a file: $!";
	print $file $sql;
	seek $file, 0, 0 or die "cannot write: $!";
	IPC::Run::run(
		[ 'psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $conninfo, '-f', '-' ],
		'<', $file, '>', \$out, '2>', \$err,
		IPC::Run::timeout($deadline_s * 2));
	my $status = $? >> 8;
	chomp $out;
	return ($status, $out, $err);
}

sub source_sql { my ($self, $sql) = @_; return psql($self->source_conninfo, $sql); }
sub destination_sql { my ($self, $sql) = @_; return psql($self->destination_conninfo, $sql); }

sub both_sql
{
	my ($self, $sql) = @_;
	$self->source_sql($sql);
	$self->destination_sql($sql);
}

# Executes SQL in a session that keeps its transaction and locks open
# until release() is called with the result.
sub hold
{
	my ($conninfo, $sql) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start([ 'psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $conninfo ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout($deadline_s * 2));
	$in = "BEGIN;\n$sql;\n\\echo held\n";
	$run->pump until $out =~ /held/ || !$run->pumpable;
	croak "psql failed: $err\nin: $sql" unless $out =~ /held/;
	return { run => $run, in => \$in };
}

sub release
{
	my ($held) = @_;
	${ $held->{in} } .= "ROLLBACK;\n\\q\n";
	$held->{run}->finish;
}

# Writes the configuration file and returns its path.  The argument holds what
# differs from the test's defaults, as nested hashes and lists:
#
#	$t->configure({ tables => { include => ['public.t'] }, apply => { memory => '16MB' } });
#
# A scalar value undef leaves the key out; a string instead of a hash is the
# whole file.
sub configure
{
	my ($self, $changes, $name) = @_;
	my $path = "$self->{directory}/" . ($name // 'sluice.yaml');
	my $text = defined $changes && !ref $changes ? $changes : yaml($self->configuration($changes));
	open my $file, '>', $path or die "cannot write $path: $!";
	print $file $text;
	close $file or die "cannot write $path: $!";
	$self->{config} = $path;
	return $path;
}

# The default configuration with some changes, as a hash.
sub configuration
{
	my ($self, $changes) = @_;
	# Short: the path of a socket is limited.
	my $spill = $self->{spill} //= PostgreSQL::Test::Utils::tempdir_short();
	my $config = {
		task => $self->{task},
		source => { conninfo => $self->source_conninfo },
		destination => { conninfo => $self->{destination} ? $self->destination_conninfo : 'host=nowhere' },
		tables => { include => ['public.*'] },
		apply => { spill_directory => $spill },
		retry => { duration => '10min' },
		wal => { heartbeat => '200ms' },
	};
	_merge($config, $changes) if $changes;
	return $config;
}

sub _merge
{
	my ($into, $from) = @_;
	for my $key (keys %$from)
	{
		if (ref $from->{$key} eq 'HASH' && ref $into->{$key} eq 'HASH')
		{
			_merge($into->{$key}, $from->{$key});
		}
		elsif (defined $from->{$key}) { $into->{$key} = $from->{$key}; }
		else { delete $into->{$key}; }
	}
}

# Block style for mappings, one line for lists and scalars, which JSON writes.
sub yaml
{
	my ($value, $indent) = @_;
	$indent //= '';
	my $json = JSON::PP->new->allow_nonref->canonical;
	my $out = '';
	for my $key (sort keys %$value)
	{
		my $item = $value->{$key};
		$out .= ref $item eq 'HASH'
		  ? "$indent$key:\n" . yaml($item, "$indent  ")
		  : "$indent$key: " . $json->encode($item) . "\n";
	}
	return $out;
}

# Runs a verb with the configuration and waits for it; "timeout" in seconds may
# follow the verb's arguments as a hash.  Returns { status, stdout, stderr };
# the status is -1 for a program that had to be stopped, 1000 + n for signal n.
sub sluice
{
	my ($self, $verb, @arguments) = @_;
	my $options = ref $arguments[-1] eq 'HASH' ? pop @arguments : {};
	my @command = ($self->program, $verb, '-c', $self->{config}, @arguments);
	return command(\@command, $options);
}

# The same for any command, whose arguments are given in full.
sub command
{
	my ($command, $options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir('command');
	my ($in, $out, $err) = map { "$folder/$_" } qw(in out err);
	open my $file, '>', $in or die "cannot write $in: $!";
	print $file $options->{stdin} // '';
	close $file or die "cannot write $in: $!";
	print "# running: @$command\n";
	my $pid = _spawn($command, $in, $out, $err);
	my $until = time + ($options->{timeout} // $deadline_s);
	my $pause = 0.005;
	my $status = -1;
	while (waitpid($pid, WNOHANG) == 0)
	{
		if (time > $until) { kill 'KILL', $pid; waitpid $pid, 0; $until = 0; last; }
		sleep $pause;
		$pause *= 1.2 if $pause < 0.1;
	}
	$status = _status($?) if $until;
	@running = grep { $_ != $pid } @running;
	my $result = { status => $status, stdout => _slurp($out), stderr => _slurp($err) };
	print "# exit status $status\n", map { substr($_, 0, 20000) } @$result{qw(stdout stderr)};
	return $result;
}

# Output goes to files, not pipes, so that a program which prints much does not wait for its test.
sub _spawn
{
	my ($command, $in, $out, $err) = @_;
	defined(my $pid = fork) or die "cannot fork: $!";
	if (!$pid)
	{
		open STDIN, '<', $in or POSIX::_exit(126);
		open STDOUT, '>>', $out or POSIX::_exit(126);
		open STDERR, '>>', $err or POSIX::_exit(126);
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
		exec @$command or POSIX::_exit(127);
	}
	push @running, $pid;
	return $pid;
}

sub _status { my ($status) = @_; return $status & 127 ? 1000 + ($status & 127) : $status >> 8; }

sub _slurp
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file> // '';
}

# What nothing excuses in the log of a server: a crash, which a task that connects again may well survive, and what a
# sanitizer says of the plugin.
my $crash = qr/^(.*(?:terminated by signal (?:4|6|7|8|11)\b|\.[ch]:\d+:\d+: runtime error: ).*)$/m;

sub server_crashes
{
	return map { my $log = $_; map { "$log: $_" } _slurp($log) =~ /$crash/g } glob "$PostgreSQL::Test::Utils::log_path/*.log";
}

# Runs a verb and asserts that it exits with 0.
sub run_ok
{
	my ($self, @arguments) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $self->sluice(@arguments);
	my $name = join ' ', 'sluice', grep { !ref } @arguments;
	is($result->{status}, 0, $name) or diag($result->{stdout}, $result->{stderr});
	return $result;
}

# Runs a verb and asserts its exit status and the last line that it writes to
# standard error.
sub fails_like
{
	my ($self, $arguments, $status, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $self->sluice(@$arguments);
	my ($last) = $result->{stderr} =~ /([^\n]*)\n*\z/;
	is($result->{status}, $status, "$name: exit status") or diag($result->{stderr});
	like($last, $pattern, "$name: message") or diag($result->{stderr});
	return $result;
}

# Starts `sluice run` in the background and returns its pid.  What it prints is
# in $t->log.
sub start
{
	my ($self, @arguments) = @_;
	return $self->start_verb('run', @arguments);
}

# The same for any verb.
sub start_verb
{
	my ($self, $verb, @arguments) = @_;
	croak 'the program is running already' if $self->{pid};
	my $log = "$self->{directory}/run-" . ++$self->{runs} . '.log';
	my @command = ($self->program, $verb, '-c', $self->{config}, @arguments);
	print "# starting: @command\n";
	my $pid = _spawn(\@command, '/dev/null', $log, $log);
	$self->{pid} = $pid;
	$self->{log} = $log;
	return $pid;
}

# The output so far of the last program in the background.
sub log
{
	my ($self) = @_;
	return $self->{log} ? _slurp($self->{log}) : '';
}

# Whether the program in the background still runs.
sub running
{
	my ($self) = @_;
	return 0 unless $self->{pid};
	return 1 if waitpid($self->{pid}, WNOHANG) == 0;
	$self->_ended($?);
	return 0;
}

sub _ended
{
	my ($self, $status) = @_;
	@running = grep { $_ != $self->{pid} } @running;
	delete $self->{pid};
	$self->{status} = _status($status);
	print "# the program ended with status $self->{status}\n" . $self->log;
}

# Waits until the program in the background ends: its exit status; -1 and a
# failed test where it does not.
sub wait_for_end
{
	my ($self, $timeout) = @_;
	my $until = time + ($timeout // patience());
	while ($self->running)
	{
		if (time > $until)
		{
			$self->signal('KILL');
			waitpid $self->{pid}, 0;
			$self->_ended($?);
			$gave_up = 1;
			fail('the program ended in time');
			return -1;
		}
		sleep 0.02;
	}
	return $self->{status};
}

sub signal
{
	my ($self, $name) = @_;
	kill $name, $self->{pid} if $self->{pid};
}

# Whether the program in the background handles a signal ("TERM", "HUP") already; before, the signal would kill it.
sub handles
{
	my ($self, $name) = @_;
	my $number = $name eq 'TERM' ? POSIX::SIGTERM() : POSIX::SIGHUP();
	my $status = _slurp("/proc/$self->{pid}/status");
	my ($caught) = $status =~ /^SigCgt:\s+\w*?(\w{1,8})$/m;
	return $status =~ /^Name:\s+sluice$/m && $caught && hex($caught) & 1 << $number - 1;
}

# Stops the program in the background by SIGTERM; its exit status, or -1.
sub stop
{
	my ($self, $timeout) = @_;
	seen_within(patience(), sub { !$self->running || $self->handles('TERM') });
	$self->signal('TERM');
	return $self->wait_for_end($timeout);
}

# SIGKILL, and wait until the program is gone.
sub kill9
{
	my ($self) = @_;
	$self->signal('KILL');
	return $self->wait_for_end;
}

# Calls the function again and again until it returns true, and returns its value.  After the
# deadline the test fails and ends.
sub poll
{
	my ($check, $timeout) = @_;
	$timeout //= $deadline_s;
	my $value = seen_within($timeout, $check);
	croak "waited in vain for $timeout seconds" unless $value;
	return $value;
}

# The same for a condition that need not come true: returns the value, or undef after so many seconds.
sub seen_within
{
	my ($seconds, $check) = @_;
	my $until = time + $seconds;
	my $pause = 0.02;
	while (1)
	{
		my $value = $check->();
		return $value if $value;
		return undef if time > $until;
		sleep $pause;
		$pause = $pause * 1.5 > 0.5 ? 0.5 : $pause * 1.5;
	}
}

# The same as an assertion; it stops waiting if the program has ended.
sub poll_ok
{
	my ($self, $check, $name, $timeout) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $watched = $self->{pid};
	my $ended = sub { $watched && !$self->running };
	my $value;
	seen_within($timeout // patience(), sub { my $over = $ended->(); $value = $check->(); $value || $over });
	$gave_up ||= !$value;
	ok($value, $name) or diag("gave up after waiting; the program says:\n" . $self->log);
	return $value;
}

# The names of a target's indexes but for that of its primary key, in order; an unfinished one is followed by "invalid".
sub indexes
{
	my ($self, $table) = @_;
	return $self->destination_sql(qq{SELECT coalesce(string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ' ' ORDER BY c.relname), '')
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '$table'::regclass AND NOT i.indisprimary});
}

# Waits until the target has these.
sub indexes_ok
{
	my ($self, $table, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $self->poll_ok(sub { $self->indexes($table) eq $expected }, $name) || diag('there are: ' . $self->indexes($table));
}

# What the daemon answers at a port of this host: status and body; (0, '') where nobody listens.
sub http_get
{
	my ($port, $path, $host) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or return (0, '');
	print $socket "GET $path HTTP/1.1\r\nHost: " . ($host // "127.0.0.1:$port") . "\r\nConnection: close\r\n\r\n";
	local $/;
	my ($status, $body) = (<$socket> // '') =~ m{\AHTTP/1\.1 (\d+).*?\r\n\r\n(.*)\z}s;
	return ($status // 0, $body // '');
}

# What `sluice status --json` says, as a hash.
sub status
{
	my ($self) = @_;
	my $result = $self->sluice('status', '--json');
	croak "status failed: $result->{stderr}" if $result->{status} != 0;
	return decode_json($result->{stdout});
}

# Waits until everything that the source has committed so far is applied: until
# sluice.progress has reached the position of a marker, which the plugin does not send.
sub wait_applied_ok
{
	my ($self, $name, $timeout) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $lsn = $self->source_sql("SELECT pg_logical_emit_message(true, 'sluice_test', '')");
	return $self->poll_ok(sub { $self->_applied($lsn) },
		$name // "everything up to $lsn is applied", $timeout);
}

sub _applied
{
	my ($self, $lsn) = @_;
	my ($status, $out) = psql_try($self->destination_conninfo,
		"SELECT applied_lsn >= '$lsn' FROM sluice.progress WHERE task = '$self->{task}'");
	return $status == 0 && $out eq 't';
}

# Asserts that a table holds the same rows on both sides, by count and a
# checksum that does not depend on their order; shows some that differ.
# Options: target (if the name differs), columns, wait (whether to wait until they are equal).
sub equal_ok
{
	my ($self, $table, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $target = $options{target} // $table;
	my $row = $self->_row_text($table, $options{columns});
	my $checksum = _checksum_of($row);
	my ($here, $there);
	my $same = sub {
		$here = $self->source_sql("$checksum FROM $table t");
		(my $failed, $there) = psql_try($self->destination_conninfo, "$checksum FROM $target t");
		$there = 'none' if $failed;
		return $here eq $there;
	};
	my $equal = $options{wait} ? seen_within(patience(), $same) : $same->();
	ok($equal, "$table is equal on both sides ($here)")
	  or diag("source $here, destination $there\n" . $self->_differences($table, $target, $row));
	return $equal;
}

# The same for several tables, by one query on each side if they are equal.
sub all_equal_ok
{
	my ($self, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $rows = $self->_row_texts(undef, @tables);
	my $sql = join ' UNION ALL ', map { my $name = s/'/''/gr; _checksum_of($rows->{$_}, "'$name: ' || ") . " FROM $_ t" } @tables;
	my @here = split /\n/, $self->source_sql($sql);
	my ($failed, $there) = psql_try($self->destination_conninfo, $sql);
	my %there = map { $_ => 1 } $failed ? () : split /\n/, $there;
	for my $i (0 .. $#tables)
	{
		if ($there{ $here[$i] }) { pass("$tables[$i] is equal on both sides ($here[$i])"); }
		else { $self->equal_ok($tables[$i]); }
	}
}

# Takes pairs of [source table, target]; returns a text with some rows for each pair that differs.
sub unequal
{
	my ($self, @pairs) = @_;
	my $rows = $self->_row_texts(undef, map { $_->[0] } @pairs);
	my @sums = map {
		my $side = $_;
		my $sql = join ' UNION ALL ', map { _checksum_of($rows->{ $_->[0] }, "'$_->[0]: ' || ") . " FROM $_->[$side] t" } @pairs;
		my ($failed, $out) = psql_try($side ? $self->destination_conninfo : $self->source_conninfo, $sql);
		$failed ? {} : { map { $_ => 1 } split /\n/, $out };
	} 0, 1;
	my %unequal = map { (split /: /)[0] => 1 } grep { !$sums[1]{$_} } keys %{ $sums[0] };
	# Where a side cannot be read as a whole, each table is looked at by itself.
	return grep { !/: 0 different rows/ }
	  map { "$_->[0] differs from $_->[1]: " . $self->_differences(@$_, $rows->{ $_->[0] }) } grep { $unequal{ $_->[0] } || !%{ $sums[0] } } @pairs;
}

# "SELECT count, checksum": 60 bits of each row's MD5, added up as numeric.
sub _checksum_of
{
	my ($row, $before) = @_;
	$before //= '';
	return "SELECT ${before}count(*) || ' rows, checksum ' ||"
	  . " coalesce(sum(('x' || substr(md5(convert_to($row, 'UTF8')), 1, 15))::bit(60)::bigint), 0)";
}

# The SQL expression of a row's text.  Floating point values, and types that contain some,
# are compared by their bytes, since servers before PostgreSQL 12 print other digits.
sub _row_text
{
	my ($self, $table, $columns) = @_;
	return $self->_row_texts($columns, $table)->{$table};
}

# The same for several tables, by their names.
sub _row_texts
{
	my ($self, $columns, @tables) = @_;
	my $literals = join ', ', map { "('" . s/'/''/gr . "')" } @tables;
	my $described = $self->source_sql("
		SELECT w.t || E'\\t' || a.attname || E'\\t' || quote_ident(a.attname) || E'\\t' ||
			CASE WHEN e.typname IN ('float4', 'float8', 'point', 'lseg', 'path', 'box', 'polygon', 'line', 'circle')
				THEN CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'array_send' ELSE t.typsend::text END
				ELSE '' END
		FROM (VALUES $literals) w (t)
			JOIN pg_attribute a ON a.attrelid = w.t::regclass AND a.attnum > 0 AND NOT a.attisdropped
			JOIN pg_type t ON t.oid = a.atttypid
			JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END
		ORDER BY a.attrelid, a.attnum");
	my %wanted = map { $_ => 1 } @{ $columns // [] };
	my %values;
	for my $line (split /\n/, $described)
	{
		my ($table, $name, $quoted, $send) = split /\t/, $line;
		next if $columns && !$wanted{$name};
		push @{ $values{$table} }, $send ? "encode($send(t.$quoted), 'hex')" : "t.$quoted";
	}
	my %texts;
	for my $table (@tables)
	{
		croak "$table has no such columns" unless $values{$table};
		$texts{$table} = 'ROW(' . join(', ', @{ $values{$table} }) . ')::text';
	}
	return \%texts;
}

# The first rows that one side lacks or has less often.
sub _differences
{
	my ($self, $table, $target, $row) = @_;
	my $sql = "SELECT md5($row) || ' ' || replace(left($row, 300), E'\\n', '\\n') FROM";
	my %count;
	for my $side ([ 1, $self->source_conninfo, $table ], [ -1, $self->destination_conninfo, $target ])
	{
		my ($sign, $conninfo, $name) = @$side;
		my ($status, $rows, $message) = psql_try($conninfo, "$sql $name t");
		return "reading $name: $message" if $status != 0;
		$count{$_} += $sign for split /\n/, $rows;
	}
	my @different = sort { substr($a, 33) cmp substr($b, 33) } grep { $count{$_} } keys %count;
	my $out = scalar(@different) . " different rows:\n";
	for my $text (splice @different, 0, 10)
	{
		my $side = $count{$text} > 0 ? 'source' : 'destination';
		$out .= sprintf "%d more in the %s: %s\n", abs $count{$text}, $side, substr($text, 33);
	}
	return $out;
}

END
{
	my $status = $?;
	my @crashes = server_crashes();
	$status ||= 1 if @crashes;
	diag("a server has crashed: $_") for @crashes;
	diag("SEED=$seed") if $status || !Test::More->builder->is_passing;
	for my $pid (@running) { kill 'KILL', $pid; waitpid $pid, 0; }
	for my $made (@databases)
	{
		my ($server, $name) = @$made;
		psql_try($server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$name'");
		my ($failed, undef, $message) = psql_try($server, "DROP DATABASE $name");
		warn "the database $name stays behind: $message" if $failed;
	}
	$? = $status;
}

1;
