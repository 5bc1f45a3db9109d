# What a long run may make grow: one curve for each, sampled by a process of its own while the traffic runs, and
# judged at the end.
#
#	my $samples = Samples->new($t, port => 9432);	# port: of the daemon's status
#	$samples->start;
#	$samples->daemon($pid);		# after each start of the daemon
#	...
#	$samples->stop;
#	my @verdicts = $samples->verdicts($seconds);
#
# A curve is flat if the median of the run's last quarter is at most 1.2 times the median of an earlier quarter, plus a
# constant of the curve.  The earlier quarter is the second; for what ends with a connection it is the third, since
# connections are lost on purpose in the first half.
package Samples;

use strict;
use warnings;

use Bench qw(median memory_kb spilled);
use JSON::PP;
use POSIX ();
use SluiceTest;
use Time::HiRes qw(sleep time);

our $every_s = 5;
our $factor = 1.2;

# key, title, the constant, the quarter to compare with, format
our @curves = (
	[ 'daemon_mb', 'memory of the daemon, MB', 2, 2, '%.1f' ],
	[ 'descriptors', 'open descriptors of the daemon', 3, 2, '%.0f' ],
	[ 'walsender_mb', 'memory of its sessions at the source, MB', 4, 3, '%.1f' ],
	[ 'backends_mb', 'memory of its sessions at the destination, MB', 4, 3, '%.1f' ],
	[ 'source_sessions', 'sessions at the source', 1, 2, '%.0f' ],
	[ 'destination_sessions', 'sessions at the destination', 1, 2, '%.0f' ],
	[ 'spill_files', 'spill files', 1, 2, '%.0f' ],
	[ 'spill_mb', 'bytes in spill files, MB', 1, 2, '%.1f' ],
	[ 'lag_s', 'lag, seconds', 2, 2, '%.2f' ],
	[ 'lag_mb', 'lag, MB of WAL', 4, 2, '%.2f' ],
	[ 'retained_mb', 'WAL that the slot retains, MB', 32, 2, '%.1f' ],
	[ 'xmin_age', "age of the slot's catalog_xmin, transactions", 10000, 2, '%.0f' ],
	[ 'slots', 'replication slots', 0, 2, '%.0f' ],
	[ 'state_kb', 'size of the schema sluice, kB', 128, 2, '%.0f' ],
	[ 'state_dead', 'dead rows in the schema sluice', 2000, 2, '%.0f' ],
	[ 'state_rows', 'rows in sluice.tables', 2, 2, '%.0f' ],
	[ 'relations', 'relations at the destination', 20, 2, '%.0f' ],
	[ 'pg_class_kb', "size of the destination's pg_class, kB", 256, 2, '%.0f' ],
	[ 'pg_attribute_kb', "size of the destination's pg_attribute, kB", 512, 2, '%.0f' ],
	[ 'catalogs_mb', "size of all the destination's catalogs, MB", 2, 2, '%.1f' ],
);

my $sampler;	# the process

sub new
{
	my ($class, $t, %options) = @_;
	return bless { t => $t, port => $options{port}, path => $options{path}, pid_path => $t->directory . '/daemon.pid' }, $class;
}

# Tells the sampler which process the daemon is; 0 while there is none.
sub daemon
{
	my ($self, $pid) = @_;
	open my $file, '>', "$self->{pid_path}.new" or die "cannot write $self->{pid_path}: $!";
	print $file $pid;
	close $file;
	rename "$self->{pid_path}.new", $self->{pid_path};
	return;
}

sub start
{
	my ($self) = @_;
	open my $out, '>', $self->{path} or die "cannot write $self->{path}: $!";
	$out->autoflush(1);
	$self->{began} = time;
	defined($sampler = fork) or die "cannot fork: $!";
	return if $sampler;
	$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
	my $parent = getppid;
	for (my $next = time; getppid == $parent; $next += $every_s)
	{
		my $values = eval { $self->_sample } // {};
		print $out join("\t", sprintf('%.1f', time - $self->{began}), map { $values->{ $_->[0] } // '' } @curves), "\n";
		my $rest = $next + $every_s - time;
		sleep $rest if $rest > 0;
	}
	POSIX::_exit(0);
}

sub stop
{
	kill 'KILL', $sampler;
	waitpid $sampler, 0;
	undef $sampler;
	return;
}

END
{
	my $status = $?;
	kill 'KILL', $sampler if $sampler;
	$? = $status;
}

# ---- one sample: what cannot be read at the moment is left out

sub _sample
{
	my ($self) = @_;
	my %values;
	my $pid = PostgreSQL::Test::Utils::slurp_file($self->{pid_path});
	_daemon(\%values, $pid, $self->{t}{spill}) if $pid && kill 0, $pid;
	my ($code, $status) = SluiceTest::http_get($self->{port}, '/status');
	$values{lag_s} = decode_json($status)->{lag_seconds} if $code == 200;
	$self->_source(\%values);
	$self->_destination(\%values);
	return \%values;
}

sub _daemon
{
	my ($values, $pid, $folder) = @_;
	$values->{daemon_mb} = memory_kb($pid, 'RssAnon') / 1024;
	$values->{descriptors} = () = glob "/proc/$pid/fd/*";
	my ($files, $bytes) = spilled($pid, $folder);
	@$values{qw(spill_files spill_mb)} = ($files, $bytes / 2**20);
	return;
}

my $sessions = q{(SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND datname = current_database())};

sub _sessions_mb { my ($pids) = @_; my $kb = 0; $kb += memory_kb($_, 'RssAnon') for @$pids; return $kb / 1024; }

sub _source
{
	my ($self, $values) = @_;
	my ($failed, $row) = SluiceTest::psql_try($self->{t}->source_conninfo, "SELECT pg_current_wal_lsn() - '0/0', pg_current_wal_lsn() - restart_lsn, age(catalog_xmin),
		(SELECT count(*) FROM pg_replication_slots), $sessions FROM pg_replication_slots WHERE slot_name = 'sluice_$self->{t}{task}'");
	return if $failed || $row eq '';
	(my ($lsn, $retained), @$values{qw(xmin_age slots)}, my $pids) = split /\|/, $row, -1;
	my @pids = split ' ', $pids;
	$values->{retained_mb} = $retained / 2**20;
	@$values{qw(source_sessions walsender_mb)} = (scalar @pids, _sessions_mb(\@pids));
	$self->{lsn} = $lsn;
	return;
}

sub _destination
{
	my ($self, $values) = @_;
	my ($failed, $row) = SluiceTest::psql_try($self->{t}->destination_conninfo, "SELECT applied_lsn - '0/0',
		(SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'sluice'::regnamespace AND relkind = 'r'),
		(SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE schemaname = 'sluice'), (SELECT count(*) FROM sluice.tables), (SELECT count(*) FROM pg_class),
		pg_total_relation_size('pg_class'), pg_total_relation_size('pg_attribute'),
		(SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'), $sessions
		FROM sluice.progress WHERE task = '$self->{t}{task}'");
	return if $failed || $row eq '';
	(my ($applied, $state_bytes), @$values{qw(state_dead state_rows relations)}, my ($class_bytes, $attribute_bytes, $catalog_bytes, $pids)) = split /\|/, $row, -1;
	# The source was asked first, so that what arrived in between is no lag.
	$values->{lag_mb} = $self->{lsn} > $applied ? ($self->{lsn} - $applied) / 2**20 : 0 if defined $self->{lsn};
	@$values{qw(state_kb pg_class_kb pg_attribute_kb catalogs_mb)} = ($state_bytes / 1024, $class_bytes / 1024, $attribute_bytes / 1024, $catalog_bytes / 2**20);
	my @pids = split ' ', $pids;
	@$values{qw(destination_sessions backends_mb)} = (scalar @pids, _sessions_mb(\@pids));
	return;
}

# ---- the whole run

# For each curve a list of [seconds, value].
sub points
{
	my ($self) = @_;
	my %points;
	open my $file, '<', $self->{path} or die "cannot read $self->{path}: $!";
	while (my $line = <$file>)
	{
		chomp $line;
		my ($seconds, @values) = split /\t/, $line, -1;
		for my $i (0 .. $#curves) { push @{ $points{ $curves[$i][0] } }, [ $seconds, $values[$i] ] if ($values[$i] // '') ne ''; }
	}
	return \%points;
}

# For each curve { key, title, format, quarters: the medians, highest, limit, flat }.
sub verdicts
{
	my ($self, $seconds) = @_;
	my $points = $self->points;
	return map { _verdict($_, $seconds, $points->{ $_->[0] } // []) } @curves;
}

sub _verdict
{
	my ($curve, $seconds, $points) = @_;
	my ($key, $title, $constant, $quarter, $format) = @$curve;
	my @quarters;
	for my $point (@$points) { push @{ $quarters[ 4 * $point->[0] / $seconds ] }, $point->[1] if $point->[0] < $seconds; }
	my @medians = map { $_ ? median(@$_) : undef } @quarters[ 0 .. 3 ];
	my ($highest) = sort { $b <=> $a } map { $_->[1] } @$points;
	my ($earlier, $last) = @medians[ $quarter - 1, 3 ];
	my $limit = defined $earlier ? $factor * $earlier + $constant : undef;
	return { key => $key, title => $title, format => $format, quarters => \@medians, highest => $highest, limit => $limit,
		flat => defined $limit && defined $last && $last <= $limit };
}

1;
