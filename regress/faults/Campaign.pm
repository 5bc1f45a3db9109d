# A campaign of faults: rounds of traffic and faults on one task, after each of which every table is compared.
#
#	my $campaign = Campaign->new(seed => 4711, pair => 20);
#	$campaign->round($_) for 1 .. 1000;
#	$campaign->finish;
#
# Everything in a round follows from the campaign's seed and the round's number: which actions it has, and for each of them what it does.
# What runs at the same time is not repeated to the microsecond.  After each "pair" of databases and their task come new ones.
package Campaign;

use strict;
use warnings;

use Digest::MD5 qw(md5);
use FindBin;
use JSON::PP;
use List::Util qw(sum);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use SluiceTest;
use Proxy;
use Actions;
use Faults;

# A place to put what a round has shown: level or not, within this.
our $patience_s = $ENV{FAULTS_PATIENCE} || 120;

# What an action of the traffic may end with: it met another, or a fault.
my $expected_sqlstates = qr/^(?:08...|23505|23502|25P02|3B001|40P01|40001|42P01|42P07|42P16|42P17|42701|42703|42704|42710|42611|2BP01|22P02|22003|22023|53...|55P03|55006|55000|57P..|57014|42804|2D000|25001)$/;

my @processes;	# of ours in the background
my $unfinished;	# the campaign

sub chance { return unpack 'N', md5(join ' ', @_); }

sub new
{
	my ($class, %options) = @_;
	my $self = bless {
		seed => $options{seed},
		pair => $options{pair} // 20,
		leave => { map { $_ => 1 } split /[,\s]+/, $options{leave} // '' },
		counts => {}, kinds => {}, sqlstates => {}, failed => [], rounds => 0,
		disks => $ENV{SLUICE_TEST_DISKS},
	}, $class;
	my $conf = "logical_decoding_work_mem = 64kB\nmax_prepared_transactions = 20\nrestart_after_crash = on\nwal_level = logical\n"
	  . "autovacuum_naptime = 5s\nautovacuum_vacuum_cost_delay = 0\nwal_sender_timeout = 10s\n"; # a session whose client is gone keeps the slot as long
	$self->{t} = SluiceTest->new(source => { conf => $conf }, destination => { conf => "restart_after_crash = on\n" });
	$self->{folder} = $self->{t}->directory;
	$self->{own} = !SluiceTest::destination_is_external();
	$self->{proxy} = { map { my $conninfo = "${_}_conninfo"; $_ => Proxy->new($self->{t}->$conninfo) } 'source', 'destination' };
	$self->{t}->source_sql('CREATE ROLE feeder LOGIN REPLICATION');
	$self->_make_destination_role if $self->{own};
	return $unfinished = $self;
}

sub _make_destination_role
{
	my ($self) = @_;
	$self->{t}->destination_sql('CREATE ROLE loader LOGIN');
	return unless $self->{disks};
	my $space = "$self->{disks}/tables/space-$$";
	mkdir $space or die "cannot make a folder on $self->{disks}/tables: $!";
	$self->{t}->destination_sql("CREATE TABLESPACE small LOCATION '$space'; GRANT CREATE ON TABLESPACE small TO loader");
}

# ---- a pair of databases and their task

# What differs from pair to pair.
sub _variant
{
	my ($self) = @_;
	srand chance($self->{seed}, 'pair', $self->{number});
	my $shared = rand() < 0.25;
	my @shared = map { { source => "public.shared_$_", target => 'dw.shared', operations => [qw(insert update delete)] } } $shared ? ('a', 'b') : ();
	return {
		shared => $shared,
		standby => rand() < 0.4,	# each daemon can give way to another one
		upkeep => rand() < 0.5 ? '50,100,100,500,2000' : undef,	# soon, and also where the server has an autovacuum
		config => {
			source => { compression => Actions::one_of('none', 'lz4') },
			tables => { include => ['public.*'], exclude => [ 'public.passing', $shared ? () : 'public.shared_b' ], overrides => [
				{ source => 'public.filtered', target => 'dw.europe', columns => [qw(id region n)], rename => [ { from => 'id', to => 'nr' } ], where => "region = 'EU' AND n > 10" },
				{ source => 'public.filtered_full', where => 'n % 3 = 0' },
				{ source => 'public.archive', operations => [qw(insert update delete)] },
				@shared ] },
			initial_copy => { existing => $shared ? 'append' : 'clear', jobs => 1 + int rand 3, rand() < 0.5 ? (part => '64kB') : () },
			apply => { memory => Actions::one_of('16MB', '16MB', '64MB'), max_bytes => Actions::one_of('64kB', '256kB', '4MB'), max_delay => Actions::one_of('0', '50ms', '300ms'), refused => Actions::one_of('stop', 'hold'),
				vacuum => Actions::one_of('auto', 'auto', 'off') },
			schema => { partitions => $self->{own} && rand() < 0.3 ? 'keep' : 'flatten', indexes => Actions::one_of('unique', 'all') },
			retry => { duration => '5min' },
		},
	};
}

sub begin_pair
{
	my ($self, $number) = @_;
	my $t = $self->{t};
	$self->{number} = $number;
	my $name = sprintf 'faults_%d', ++$self->{pairs};
	SluiceTest::psql($t->source->connstr('postgres') . ' user=postgres', "CREATE DATABASE $name");
	$t->{source}{conninfo} = $t->source->connstr($name) . ' user=postgres';
	$self->_load_source($name);
	$self->_make_destination($name);
	my $variant = $self->{variant} = _variant($self);
	my %ends = map { my $conninfo = "${_}_conninfo"; $_ => { conninfo => $self->_through($_, $t->$conninfo) . ' connect_timeout=5' } } 'source', 'destination';
	$self->{spills} = [ map { ($self->{disks} ? "$self->{disks}/spill/$$" : "$self->{folder}/spill") . "-$_" } 1, 2 ]; # one for each daemon
	mkdir $_ for @{ $self->{spills} };
	unlink glob "$_/*" for @{ $self->{spills} }; # of a pair that ended badly
	$t->{task} = $name;
	$self->{config} = { task => $name, %ends, wal => { heartbeat => '200ms' }, log => { level => $ENV{FAULTS_LOG} // 'info' } };
	SluiceTest::_merge($self->{config}, $variant->{config});
	$self->_configure($t, $self->{spills}[0]);
	$self->{known} = undef;
	if ($variant->{upkeep}) { $ENV{SLUICE_TEST_UPKEEP} = $variant->{upkeep}; }
	else { delete $ENV{SLUICE_TEST_UPKEEP}; }
	$self->_start($t);
	my $began = SluiceTest::seen_within($patience_s, sub { !$t->running || $self->ask_destination("SELECT 1 FROM sluice.progress WHERE task = '$name'") eq '1' });
	$self->found('the task does not begin: ' . substr $t->log, -2000) unless $began && $t->running;
	$self->_start_watch;
}

sub _configure
{
	my ($self, $host, $spill) = @_;
	$host->{spill} = $self->{config}{apply}{spill_directory} = $spill;
	$host->configure($self->{config});
}

sub _start { my ($self, $host) = @_; $host->start($self->{variant}{standby} ? '--standby' : ()); }

sub _load_source
{
	my ($self, $name) = @_;
	my $sql = PostgreSQL::Test::Utils::slurp_file("$SluiceTest::top/regress/faults/tables.sql");
	$self->{t}->source_sql("SET client_min_messages = warning;\n$sql\nGRANT SELECT ON ALL TABLES IN SCHEMA public, leaves TO feeder;
		GRANT USAGE ON SCHEMA leaves TO feeder;
		ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO feeder;");
}

sub _make_destination
{
	my ($self, $name) = @_;
	my $t = $self->{t};
	if (!$self->{own})
	{
		$t->_start_destination({}) if $self->{used};
		$self->{used} = 1;
		return;
	}
	SluiceTest::psql($t->destination->connstr('postgres') . ' user=postgres', "CREATE DATABASE $name");
	$t->{destination}{conninfo} = $t->destination->connstr($name) . ' user=postgres';
	$t->destination_sql("GRANT ALL ON DATABASE $name TO loader; GRANT ALL ON SCHEMA public TO loader");
	$t->destination_sql("SET ROLE loader; CREATE TABLE bulk (id int PRIMARY KEY, v text, n int) TABLESPACE small") if $self->{disks};
}

# The same by way of the proxy, and with the role of the task.
sub _through
{
	my ($self, $end, $conninfo) = @_;
	my ($host) = $self->{proxy}{$end}->conninfo =~ /host=(\S+)/;
	$conninfo =~ s/host=\S+/host=$host/;
	my $role = $end eq 'source' ? 'feeder' : $self->{own} ? 'loader' : undef;
	$conninfo =~ s/\buser=\S+/user=$role/ if $role;
	return $conninfo;
}

sub end_pair
{
	my ($self) = @_;
	my $t = $self->{t};
	$self->_stop_watch;
	$self->undo;
	$self->_end_by_verb('compare') unless $self->{spoilt};
	if ($t->running) { my $status = $t->stop; $self->found("SIGTERM at the end: status $status") if $status; }
	$self->_nothing_left;
	$self->_end_by_verb('run', '--until', 'current') unless $self->{spoilt};
	$self->_end_by_verb('drop');
	my $slots = $t->source_sql("SELECT string_agg(slot_name, ', ') FROM pg_replication_slots");
	$self->found("drop leaves slots: $slots") if $slots;
	$self->ask_source('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active') if $slots;
	my $rows = $t->destination_sql("SELECT (SELECT count(*) FROM sluice.progress) + (SELECT count(*) FROM sluice.tables)");
	$self->found("drop leaves $rows rows of state") if $rows;
	delete $self->{number};
}

sub _end_by_verb
{
	my ($self, @verb) = @_;
	my $result = $self->{t}->sluice(@verb, { timeout => $patience_s });
	$self->found("@verb: status $result->{status}, $result->{stdout} $result->{stderr}") if $result->{status};
}

# With the daemon gone: no sessions, no temporary slots, no files.
sub _nothing_left
{
	my ($self) = @_;
	for my $end ('source', 'destination')
	{
		# What is closed for the program alone, its server never hears of.
		$self->{proxy}{$end}->cut;
		SluiceTest::seen_within($patience_s, sub { !$self->sessions($end) }) or $self->found("sessions stay behind at the $end: " . join ', ', $self->sessions($end));
	}
	my $temporary = $self->{t}->source_sql("SELECT count(*) FROM pg_replication_slots WHERE temporary OR active OR slot_name NOT LIKE 'sluice_faults%'");
	$self->found("$temporary slots stay behind") if $temporary;
	# A daemon that was killed and followed by its standby had another folder, which its next start would empty.
	opendir my $folder, $self->{t}{spill} or die "cannot read $self->{t}{spill}: $!";
	my @left = grep { !/^\.\.?$|\.lock$/ } readdir $folder;
	$self->found("files stay behind: @left") if @left;
}

# Lines that no fault excuses.
my $never = qr/invalid socket|please report|[Aa]ssertion|Sanitizer/;

sub _judge_log
{
	my ($self) = @_;
	my $said = $self->{t}->log;
	my $log = $self->{t}{log};
	my $offset = ($self->{judged}{log} // '') eq $log ? $self->{judged}{offset} : 0;
	$self->found("it says: $1") if substr($said, $offset) =~ /^(.*(?:$never).*)$/m;
	$self->{judged} = { log => $log, offset => length $said };
	$self->found("a server has crashed: $_") for grep { !$self->{crashes}{$_}++ } SluiceTest::server_crashes();
}

# ---- what is asked and done

sub ask_source { return (SluiceTest::psql_try($_[0]{t}->source_conninfo, $_[1]))[1]; }
sub ask_destination { return (SluiceTest::psql_try($_[0]{t}->destination_conninfo, $_[1]))[1]; }

# Until the server does it, which may be starting; returns what it says.
sub insist
{
	my ($self, $end, $sql) = @_;
	my $conninfo = "${end}_conninfo";
	return ${ SluiceTest::poll(sub { my ($failed, $out) = SluiceTest::psql_try($self->{t}->$conninfo, $sql); $failed ? undef : \$out }, $patience_s) };
}

sub sessions
{
	my ($self, $end, $condition) = @_;
	my $ask = "ask_$end";
	return split /\n/, $self->$ask("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database() AND " . ($condition // 'true'));
}

sub signal_session
{
	my ($self, $end, $function, $most) = @_;
	my $ask = "ask_$end";
	$self->$ask("SELECT count($function(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database()
		ORDER BY random() LIMIT @{[ $most // 1 ]}) s");
}

sub kill_daemon { my ($self) = @_; $self->{t}->kill9 if $self->{t}->running; $self->start_daemon; }

sub signal_daemon
{
	my ($self, $name) = @_;
	my $t = $self->{t};
	return unless SluiceTest::seen_within($patience_s, sub { !$t->running || $name !~ /HUP/ || $t->handles($name) }) && $t->running;
	$t->signal($name);
}

sub stop_daemon
{
	my ($self) = @_;
	my $t = $self->{t};
	if ($t->running)
	{
		my $status = $t->stop($patience_s);
		delete $t->{status};
		$self->found("SIGTERM: status $status") if $status;
	}
	$self->start_daemon;
}

sub start_daemon
{
	my ($self) = @_;
	$self->_note_end;
	$self->_start($self->{t}) unless $self->{t}->running;
}

# Another daemon of the task waits as its standby until this one ends, is killed, or freezes; then it is the task's daemon.
sub hand_over
{
	my ($self, $how) = @_;
	$self->start_daemon;
	my $former = $self->{t};
	my $next = bless {%$former}, ref $former;
	delete @$next{qw(pid log status)};
	$next->{directory} = "$self->{folder}/host-" . ++$self->{hosts};
	mkdir $next->{directory} or die "cannot make $next->{directory}: $!";
	$self->_configure($next, $former->{spill} eq $self->{spills}[0] ? $self->{spills}[1] : $self->{spills}[0]);
	$next->start('--standby');
	my $waits = qr/standby: the task is run by/;
	$self->found('a standby does not stand by: ' . substr $next->log, -1000)
	  unless SluiceTest::seen_within($patience_s, sub { $next->log =~ /$waits|making slot|streaming from/ || !$next->running }) && $next->running;
	$self->{counts}{"handed over by $how"}++ if $next->log =~ $waits;
	if ($how eq 'freeze') { $self->_await_takeover($former, $next); }
	elsif ($former->running)
	{
		my $status = $how eq 'kill' ? $former->kill9 && 0 : $former->stop($patience_s);
		$self->found("SIGTERM of a daemon with a standby: status $status") if $status;
	}
	delete $former->{status};
	$self->{t} = $next;
}

# The former daemon wakes up, finds its task taken, and waits in turn; here it is not needed any more.
sub _await_takeover
{
	my ($self, $former, $next) = @_;
	$former->signal('STOP');
	$self->found('the standby does not take over: ' . substr $next->log, -1000)
	  unless SluiceTest::seen_within($patience_s, sub { $next->log =~ /streaming from/ || !$next->running }) && $next->running;
	$former->signal('CONT');
	$self->found('the former daemon does not wait: ' . substr $former->log, -1000)
	  unless SluiceTest::seen_within($patience_s, sub { $former->log =~ /standby: the task is run by .*process $next->{pid}\b/ || !$former->running }) && $former->running;
	my $status = $former->running ? $former->stop($patience_s) : $former->{status};
	$self->found("SIGTERM of the former daemon: status $status") if $status;
}

# Something that a running daemon does not take over at once: it begins another attempt.
sub reload
{
	my ($self, $by) = @_;
	my $apply = $self->{config}{apply};
	$apply->{max_bytes} = $apply->{max_bytes} eq '256kB' ? '1MB' : '256kB';
	$self->_configure($self->{t}, $self->{t}{spill});
	# With a terminal the signal means that it is gone.
	if ($by eq 'signal' && !open my $terminal, '+<', '/dev/tty') { $self->signal_daemon('HUP'); }
	else { $self->ask('reload'); }
}

# An end by itself is a defect unless a fault of this round allows it.
sub _note_end
{
	my ($self) = @_;
	my $t = $self->{t};
	return if $t->{pid} && $t->running || !defined $t->{status};
	my $status = delete $t->{status};
	my ($last) = $t->log =~ /([^\n]*)\n*\z/;
	return if $status == 0 && $self->{stopping} || $status == 1009;
	my $allowed = $self->{may_end} && join '|', @{ $self->{may_end} };
	my $blind = $status == 3 && $last =~ /cannot connect to the destination: .*does not let the user in/; # whether it has worked it cannot know
	if ($allowed && ($status == 1 || $blind) && $last =~ /$allowed/) { $self->{counts}{'ended as it should'}++; return; }
	$self->found("it ended by itself with status $status: $last");
}

# Whether the verb has done it; between two attempts it is refused.
sub ask
{
	my ($self, @arguments) = @_;
	my $result = $self->{t}->sluice(@arguments, { timeout => $patience_s });
	$self->found("@arguments: no end") if $result->{status} < 0;
	return $result->{status} == 0;
}

sub any_table { return 'public.' . Actions::one_of(qw(keyed wide wide_full bag swapped indexed pair parts emptied bulk changed typed filtered filtered_full archive shared_a), @Actions::made); }

sub at_commit { my ($self, %rule) = @_; $self->{proxy}{destination}->rule(match => Proxy::COMMIT, nth => 1 + int rand 3, %rule); }
sub at_message { my ($self, $end, %rule) = @_; $self->{proxy}{$end}->rule(%rule); }

sub end_rule
{
	my ($self, $end, $cut) = @_;
	my $proxy = $self->{proxy}{$end};
	$self->{counts}{'messages met that a fault waited for'}++ if $proxy->fired;
	$proxy->rule;
	$proxy->cut if $cut;
}

sub restart
{
	my ($self, $how, @ends) = @_;
	$self->{t}->$_->stop($how) for @ends;
	sleep rand 0.3;
	$self->{t}->$_->start for @ends;
}

# What a role may not do any more, and what that ends the daemon with, if it does.
sub take_login
{
	my ($self, $end, $what) = @_;
	my $role = $end eq 'source' ? 'feeder' : 'loader';
	my $ask = "ask_$end";
	push @{ $self->{may_end} }, $what =~ /read_only/ ? qr/read-only|read only/ : $what eq 'NOREPLICATION' ? qr/lacks the attribute REPLICATION: ALTER ROLE $role REPLICATION/
	  : qr/the server does not let the user in/; # at a start
	$self->$ask("ALTER ROLE $role $what; SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = '$role'");
}

sub give_login
{
	my ($self, $end, $what) = @_;
	$self->insist($end, 'ALTER ROLE ' . ($end eq 'source' ? 'feeder' : 'loader') . " $what");
}

sub take_right
{
	my ($self, $end) = @_;
	my $table = Actions::one_of(qw(public.keyed public.bag public.bulk));
	my ($role, $ask) = $end eq 'source' ? ('feeder', 'ask_source') : ('loader', 'ask_destination');
	$self->$ask("REVOKE ALL ON $table FROM $role");
	$self->{taken} = [ $end, "GRANT ALL ON $table TO $role" ];
	push @{ $self->{may_end} }, qr/\Q$table\E.*(?:GRANT|permission|right)|permission denied for table/;
	$self->ask('table', 'resync', $table) if $end eq 'source';
	$self->{resync} = $table if $self->_holds; # what it may need in the end
}

sub give_right
{
	my ($self) = @_;
	$self->insist(@{ $self->{taken} });
}

# A held table is copied again on request, as the message says; a run that has ended is started again.
sub refuse
{
	my ($self) = @_;
	my $table = $self->{refusing} = Actions::one_of(qw(public.keyed public.wide public.typed public.emptied));
	push @{ $self->{may_end} }, qr/\Q$table\E.*"faults"/;
	$self->ask_destination("SET lock_timeout = '5s'; ALTER TABLE $table ADD CONSTRAINT faults CHECK (id < 0) NOT VALID");
}

sub accept
{
	my ($self) = @_;
	my $table = delete $self->{refusing};
	$self->insist('destination', "ALTER TABLE $table DROP CONSTRAINT IF EXISTS faults");
	$self->{resync} = $table if $self->_holds;
}

sub _holds { return $_[0]{variant}{config}{apply}{refused} eq 'hold'; }

# What others do to a target is found at a start.
sub lose_target
{
	my ($self, $statement) = @_;
	my $table = Actions::one_of(qw(public.keyed public.bag public.typed public.pair));
	$self->ask_destination("SET lock_timeout = '5s'; $statement $table");
	$self->kill_daemon;
}

sub fill
{
	my ($self, $disk) = @_;
	open my $file, '>', "$self->{disks}/$disk/filler" or return;
	my $zeros = "\0" x 65536;
	1 while syswrite $file, $zeros;
	close $file;
}

sub unfill { my ($self, $disk) = @_; unlink "$self->{disks}/$disk/filler"; }

# A file system of its own is filled; without one no file of the daemon may grow.
sub fill_spill_disk
{
	my ($self) = @_;
	return $self->fill('spill') if $self->{disks};
	return unless $self->{t}->running;
	system 'prlimit', '--pid', $self->{t}{pid}, '--fsize=1000000:unlimited';
}

sub empty_spill_disk
{
	my ($self) = @_;
	return $self->unfill('spill') if $self->{disks};
	system 'prlimit', '--pid', $self->{t}{pid}, '--fsize=unlimited' if $self->{t}->running;
}

sub fault_command { my ($self, @arguments) = @_; system 'sh', '-c', "$ENV{FAULT_COMMAND} @arguments >>$self->{folder}/fault_command.log 2>&1 </dev/null"; }

# ---- a reader of the destination, at all times

my $total = 20000;

sub _start_watch
{
	my ($self) = @_;
	$self->{watched} = "$self->{folder}/watch-$self->{number}.txt";
	my $task = $self->{t}{task};
	my $query = "SELECT 'seen', (SELECT count(*) FROM sluice.tables WHERE task = '$task' AND source_name IN ('accounts', 'vault', 'journal', 'tick') AND state = 'streaming'),
		(SELECT sum(balance) FROM accounts) + (SELECT sum(balance) FROM vault), (SELECT coalesce(sum(amount), 0) FROM journal),
		(SELECT n FROM tick), (SELECT applied_lsn FROM sluice.progress WHERE task = '$task')\n\\watch 0.03\n";
	open my $file, '>', "$self->{watched}.sql" or die "cannot write: $!";
	print $file $query;
	close $file;
	defined(my $pid = fork) or die "cannot fork: $!";
	if (!$pid)
	{
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $self->{watched};
		open STDERR, '>>', "$self->{watched}.err";
		setpgrp;
		while (getppid() != 1)
		{
			system 'psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $self->{t}->destination_conninfo, '-f', "$self->{watched}.sql";
			sleep 0.1;
		}
		POSIX::_exit(0);
	}
	push @processes, -$pid;
	$self->{watcher} = $pid;
	$self->{seen} = { offset => 0, tick => -1, lsn => 0, times => 0 };
}

sub _stop_watch
{
	my ($self) = @_;
	my $pid = delete $self->{watcher} or return;
	kill 'KILL', -$pid;
	waitpid $pid, 0;
	@processes = grep { $_ != -$pid } @processes;
	$self->_judge_seen;
	$self->{counts}{'looks at the destination'} += $self->{seen}{times};
	unlink $self->{watched};
}

sub _lsn { my ($high, $low) = split m{/}, $_[0]; return hex($high) * 2**32 + hex $low; }

# What the reader has seen since the last time.
sub _judge_seen
{
	my ($self) = @_;
	my $seen = $self->{seen};
	open my $file, '<', $self->{watched} or return;
	seek $file, $seen->{offset}, 0;
	while (my $line = <$file>)
	{
		last unless $line =~ /\n\z/;
		$seen->{offset} = tell $file;
		chomp $line;
		my ($mark, $streaming, $sum, $journal, $tick, $lsn) = split /\|/, $line;
		next unless ($mark // '') eq 'seen' && defined $lsn && $lsn ne '';
		$self->found("applied_lsn went back: $line") if _lsn($lsn) < $seen->{lsn};
		$seen->{lsn} = _lsn($lsn);
		next unless $streaming == 4;
		$seen->{times}++;
		$self->found("a reader saw half a transaction: $line") if $sum != $total || $journal != 0;
		$self->found("a reader saw an earlier transaction after a later one: $line") if $tick < $seen->{tick};
		$seen->{tick} = $tick;
	}
}

# ---- rounds

# What a round consists of: [number, fault or not, entry of the list, seed].
sub planned
{
	my ($self, $round) = @_;
	srand chance($self->{seed}, 'round', $round);
	my %has = ('' => 1, own => $self->{own}, disk => $self->{own} && $self->{disks}, command => $ENV{FAULT_COMMAND}, standby => $self->{variant}{standby});
	my @faults = grep { !$self->{variant}{shared} || $_->[2] !~ /^(?:remove and add|a target)/ }
	  grep { $has{ $_->[3] } } @Faults::all;
	# A copy again would empty a target to which rows are added; such a table is held.
	my @actions = grep { !$self->{variant}{shared} || $_->[1] !~ /^(?:define|leaves|make|drop|rename)$/ } @Actions::all;
	my @plan = ((map { [ 0, _weighed(@actions) ] } 1 .. 5 + int rand 6), (map { [ 1, _weighed(@faults) ] } 1 .. 1 + int rand 2));
	my $number = 0;
	return map { [ ++$number, @$_, chance($self->{seed}, $round, $number) ] } @plan;
}

sub _weighed
{
	my @list = @_;
	my $point = rand sum(map { $_->[0] } @list);
	for (@list) { return $_ if ($point -= $_->[0]) < 0; }
	return $list[-1];
}

# Everything that this round has shown to be wrong.
sub found { my ($self, $what) = @_; push @{ $self->{found} }, $what unless grep { $_ eq $what } @{ $self->{found} }; }

sub round
{
	my ($self, $round) = @_;
	my $lived = eval { $self->_round($round); 1 };
	die $@ if !$lived && $@ =~ /^interrupted/;
	return $lived ? !@{ $self->{found} } : do { fail("round $round"); $self->_tell($round, "the campaign itself: $@"); 0 };
}

sub _round
{
	my ($self, $round) = @_;
	my $pair = 1 + int(($round - 1) / $self->{pair});
	$self->{found} = [];
	$self->end_pair if $self->{number} && ($self->{spoilt} || $self->{number} != $pair);
	$self->{found} = [] if delete $self->{spoilt}; # what was wrong there has been said
	$self->begin_pair($pair) unless $self->{number};
	my @plan = grep { !$self->{leave}{ $_->[0] } } $self->planned($round);
	my $name = "round $round: " . join ', ', map { "$_->[0] " . ($_->[1] ? "*$_->[2][2]*" : $_->[2][1]) } @plan;
	note($name);
	delete $self->{may_end};
	my $began = time;
	$self->_play($round, @plan);
	my $played = time;
	my $level = $self->_level;
	$self->_check_level if $level;
	$self->_judge_seen;
	$self->_judge_log;
	$self->{rounds}++;
	note(sprintf 'played in %.1f s, level after %.1f s', $played - $began, time - $played);
	my @found = @{ $self->{found} };
	ok(!@found, $name) or $self->_tell($round, @found);
}

sub _tell
{
	my ($self, $round, @found) = @_;
	push @{ $self->{failed} }, $round;
	diag("SEED=$self->{seed} ROUND=$round", map { "\n  $_" } @found);
	my $said = $self->{t}->log;
	diag("the daemon said:\n" . (length $said > 12000 ? substr($said, 0, 2000) . "\n...\n" . substr $said, -8000 : $said));
	my @keep = grep { -e } glob "$self->{folder}/traffic-$round-*.sql";
	diag("$_:\n" . substr PostgreSQL::Test::Utils::slurp_file($_), 0, 5000) for @keep;
	$self->{spoilt} = 1; # what comes next does not suffer from it
}

sub _play
{
	my ($self, $round, @plan) = @_;
	my @scripts = map { { sql => '', errors => '' } } 1 .. 3;
	srand chance($self->{seed}, $round, 'sessions');
	for my $step (grep { !$_->[1] } @plan)
	{
		my $script = $scripts[ rand @scripts ];
		srand $step->[3];
		$script->{sql} .= "-- $step->[0] $step->[2][1]\n" . $step->[2][2]->() . "ROLLBACK;\nSELECT pg_sleep(" . int(rand 100) / 1000 . ");\n";
		$self->{counts}{"traffic: $step->[2][1]"}++;
		srand $step->[3] + 1;
	}
	push @scripts, { sql => 'CALL control.transfers(' . (50 + int rand 100) . ");\n" };
	my $number = 0;
	my @pids = map { $self->_spawn_traffic($round, ++$number, $_->{sql}) } grep { $_->{sql} } @scripts;
	for my $step (grep { $_->[1] } @plan)
	{
		srand $step->[3];
		sleep rand 0.4;
		$self->undo;
		my $fault = $step->[2];
		note("$step->[0] $fault->[2]");
		$self->{lasting} = $fault->[5];
		$fault->[4]->($self);
		$self->{counts}{"fault: $fault->[1]: $fault->[2]"}++;
		$self->{kinds}{ $fault->[1] }++;
		sleep rand 0.8 if $fault->[5];
	}
	$self->_await_traffic(@pids);
	$self->undo;
	$self->_settle;
	$self->_count_errors($round);
}

sub undo { my ($self) = @_; my $end = delete $self->{lasting} or return; $end->($self); }

sub _spawn_traffic
{
	my ($self, $round, $number, $sql) = @_;
	my $path = "$self->{folder}/traffic-$round-$number.sql";
	open my $file, '>', $path or die "cannot write $path: $!";
	print $file "\\set VERBOSITY sqlstate\nSET lock_timeout = '2s'; SET client_min_messages = error;\nSELECT setseed(" . rand() . ");\n$sql";
	close $file;
	defined(my $pid = fork) or die "cannot fork: $!";
	if (!$pid)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', "$path.err";
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
		$ENV{PGAPPNAME} = 'traffic';
		exec 'psql', '-XAqt', '-d', $self->{t}->source_conninfo, '-f', $path or POSIX::_exit(127);
	}
	push @processes, $pid;
	return $pid;
}

sub _await_traffic
{
	my ($self, @pids) = @_;
	my $ended = SluiceTest::seen_within($patience_s, sub { @pids = grep { waitpid($_, POSIX::WNOHANG()) == 0 } @pids; !@pids });
	$self->found('the traffic at the source does not end: ' . $self->ask_source(
		"SELECT string_agg(pid || ' ' || wait_event || ' ' || array_to_string(pg_blocking_pids(pid), ',') || ' ' || left(query, 80), '; ') FROM pg_stat_activity WHERE application_name = 'traffic'")) unless $ended;
	kill 'KILL', @pids;
	waitpid $_, 0 for @pids;
	@processes = ();
	push @processes, -$self->{watcher} if $self->{watcher};
}

# What the traffic has left open, and what would have no identity.
sub _settle
{
	my ($self) = @_;
	my $prepared = $self->insist('source', "SELECT string_agg(quote_literal(gid), ' ' ORDER BY gid) FROM pg_prepared_xacts WHERE database = current_database()");
	for my $gid ($prepared =~ /'[^']*'/g) { $self->ask_source((length($gid) % 2 || $gid =~ /[02468]'$/ ? 'COMMIT' : 'ROLLBACK') . " PREPARED $gid"); }
	$self->ask_source("ALTER TABLE $_ REPLICA IDENTITY FULL")
	  for split /\n/, $self->insist('source', "SELECT oid::regclass FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname LIKE 'new%' AND relreplident = 'd'
		AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)");
}

sub _count_errors
{
	my ($self, $round) = @_;
	for my $path (glob "$self->{folder}/traffic-$round-*.err")
	{
		my $text = PostgreSQL::Test::Utils::slurp_file($path);
		for my $state ($text =~ /(?:ERROR|FATAL):  (\w{5})$/mg)
		{
			$self->{sqlstates}{$state}++;
			$self->found("the traffic itself fails with $state: $path") unless $state =~ $expected_sqlstates;
		}
	}
}

sub _as_loader
{
	my ($self) = @_;
	my $conninfo = $self->{t}->destination_conninfo;
	return $self->{own} ? $conninfo =~ s/\buser=\S+/user=loader/r : $conninfo;
}

# Everything applied, every table of the source there and streaming.
sub _level
{
	my ($self) = @_;
	my $t = $self->{t};
	my $lsn = '';
	my ($last, $restarts, $held) = ('', 0);
	my $refused = delete $self->{resync};
	my $level = SluiceTest::seen_within($patience_s, sub {
		$lsn ||= $self->ask_source("SELECT pg_logical_emit_message(true, 'faults', '')") or return 0;
		if (!$t->running) { $self->start_daemon; $restarts++; return $restarts > 5; }
		my $tables = join ',', $self->_source_tables or return 0;
		my $there = $self->ask_destination("SELECT applied_lsn >= '$lsn', (SELECT string_agg(source_name || ' ' || state || coalesce(' ' || error, ''), ', ') FROM sluice.tables
			WHERE task = '$t->{task}' AND state NOT IN ('streaming', 'dropped')), (SELECT string_agg(source_name, ',' ORDER BY source_name COLLATE \"C\") FROM sluice.tables
			WHERE task = '$t->{task}' AND state = 'streaming' AND source_name = ANY('{$tables}')) FROM sluice.progress WHERE task = '$t->{task}'");
		$last = "$there, source has $tables";
		if ($refused && $there =~ / held/ && $self->ask('table', 'resync', $refused)) { $self->{counts}{'held, and copied again on request'}++; undef $refused; }
		# A remedy works to the letter.
		if ($there =~ / held .*?do what it needs: (.*?); when the target/ && !$self->{tried}{"$lsn $1"}++)
		{
			my ($failed, undef, $message) = SluiceTest::psql_try($self->_as_loader, $1);
			$self->found("the remedy \"$1\" fails: $message") if $failed;
			$self->{counts}{'remedies carried out'}++;
			undef $held;
		}
		$held = $there =~ / held/ ? $held // time : undef; # a person has to act
		return $there eq "t||$tables" || $held && time > $held + 20;
	});
	undef $level if $held;
	if (!$level || $restarts > 5) { $self->found("it has not caught up with $lsn: $last"); return 0; }
	return 1;
}

# What is to be at the destination.  A table that was dropped stays in the state until the next start.
sub _source_tables
{
	my ($self) = @_;
	return split /,/, $self->ask_source("SELECT string_agg(relname, ',' ORDER BY relname COLLATE \"C\") FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT IN ('passing'" . ($self->{variant}{shared} ? '' : ", 'shared_b'") . ')');
}

# Both sides hold the same, and no more than they should.
sub _check_level
{
	my ($self) = @_;
	my $t = $self->{t};
	my @rows = map { [ split /\|/ ] } split /\n/, $self->ask_destination("SELECT source_name, target_schema, target_name FROM sluice.tables WHERE task = '$t->{task}' AND state = 'streaming' ORDER BY 1");
	my (@pairs, %there);
	$there{$_} = 1 for $self->_source_tables;
	for my $row (@rows)
	{
		my ($source, $schema, $target) = @$row;
		next if $source eq 'shared_b' || !$there{$source};
		my $view = $source eq 'filtered' ? 'control.europe' : $source eq 'filtered_full' ? 'control.filtered_full'
		  : $source eq 'shared_a' && $self->{variant}{shared} ? 'control.shared' : "public.$source";
		push @pairs, [ $view, "$schema.$target" ];
	}
	# What a definition changes without rows in the stream is found a moment later.
	my @loose = grep { $_->[0] =~ /^public\.(?:changed|parts|new\d)$/ } @pairs;
	SluiceTest::seen_within(15, sub { !$t->unequal(@loose) }) if @loose && $t->unequal(@loose);
	$self->found($_) for $t->unequal(@pairs);
	$self->_check_state;
}

sub _check_state
{
	my ($self) = @_;
	my $slots = SluiceTest::seen_within($patience_s, sub { $self->ask_source('SELECT count(*) FROM pg_replication_slots') eq '1' });
	$self->found('slots stay behind: ' . $self->ask_source("SELECT string_agg(slot_name, ', ') FROM pg_replication_slots")) unless $slots;
	my $confirmed = $self->ask_source('SELECT confirmed_flush_lsn FROM pg_replication_slots');
	my $ahead = $self->ask_destination("SELECT applied_lsn < '$confirmed' FROM sluice.progress WHERE task = '$self->{t}{task}'");
	$self->found("the slot has confirmed $confirmed, which is not stored") if $ahead ne 'f';
	my $known = $self->ask_destination("SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'sluice'::regnamespace AND relkind IN ('r', 'p')");
	$self->{known} //= $known;
	$self->found("tables of the state: $known, not $self->{known}") if $known ne $self->{known};
	# The target of a table that was dropped before its first copy stays, and its mark with it.
	my $unfinished = $self->ask_destination("SELECT count(*) FROM sluice.unfinished u WHERE u.step <> -1"
		. " OR EXISTS (SELECT 1 FROM sluice.tables t WHERE t.target_oid = u.target AND t.state <> 'dropped')");
	$self->found("$unfinished unfinished copies although all is level") if $unfinished ne '0';
	return unless $self->{t}->running;
	my @descriptors = glob "/proc/$self->{t}{pid}/fd/*";
	$self->found(scalar(@descriptors) . ' descriptors are open') if @descriptors > 60;
}

sub finish
{
	my ($self) = @_;
	$self->{found} = [];
	$self->end_pair if $self->{number};
	ok(!@{ $self->{found} }, 'nothing stays behind') or diag(join "\n", @{ $self->{found} });
	my $counts = $self->{counts};
	undef $unfinished;
	cmp_ok($counts->{'looks at the destination'} // 0, '>', 0, 'a reader has looked at the destination');
	$self->_report;
}

sub _report
{
	my ($self) = @_;
	my $counts = $self->{counts};
	diag("SEED=$self->{seed}: $self->{rounds} rounds, " . join(', ', map { "$self->{kinds}{$_} faults of kind $_" } sort keys %{ $self->{kinds} }));
	note(map { sprintf "%6d %s\n", $counts->{$_}, $_ } sort keys %$counts);
	note('errors of the traffic: ', join ', ', map { "$_ $self->{sqlstates}{$_}" } sort keys %{ $self->{sqlstates} });
	diag("failed: @{ $self->{failed} }") if @{ $self->{failed} };
}

END
{
	my $status = $?;
	$unfinished->_report if $unfinished; # one that was interrupted
	kill 'KILL', @processes if @processes;
	$? = $status;
}

1;
