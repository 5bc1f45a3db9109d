# A process that follows the source and can be stopped (SIGSTOP) and resumed: sluice, or
# native logical replication.  After a resume it applies all that the source has logged
# meanwhile, and nothing has to be started or decoded again.
package Follower;

use strict;
use warnings;

use Bench;
use SluiceTest;
use Time::HiRes qw(sleep time);

our $marker = 0;	# the last one that was made

# A marker row: once it is visible, everything before it has arrived.
sub mark
{
	my ($t) = @_;
	$t->source_sql('INSERT INTO marker VALUES (' . ++$marker . ')');
	return $marker;
}

sub make_marker
{
	my ($t) = @_;
	$t->source_sql('CREATE TABLE marker (id int PRIMARY KEY)');
	return;
}

# `sluice run` with the configuration of the test.
sub follow_sluice
{
	my ($class, $t) = @_;
	my $pid = $t->start;
	my $self = bless { t => $t, name => 'sluice', conninfo => $t->destination_conninfo, applier => $pid }, $class;
	# The first start copies, and only then takes the slot for long.
	SluiceTest::poll(sub { !$t->running || $t->log =~ /streaming from/ }, 1800);
	$t->running or die "sluice ended: " . $t->log . "\n";
	$self->arrive;
	my $slot = 'sluice_' . $t->{task};
	$self->{walsender} = $t->source_sql("SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$slot'");
	if (!$ENV{DESTINATION}) {
		$self->{backends} = [split /\n/, $t->destination_sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'sluice%'")];
	}
	return $self;
}

# A subscription in a database of its own on the destination's server, whose tables are made
# and filled here.
sub follow_native
{
	my ($class, $t) = @_;
	my $conninfo = $t->destination->connstr('native') . ' user=postgres';
	$t->destination_sql('CREATE DATABASE native');
	my $source = $t->source_conninfo;
	system("pg_dump -O -x '$source' 2>/dev/null | psql -q -d '$conninfo' > /dev/null 2>&1");
	$t->source_sql('CREATE PUBLICATION bench FOR ALL TABLES');
	$t->source_sql("SELECT pg_create_logical_replication_slot('native', 'pgoutput')");
	SluiceTest::psql($conninfo, 'CREATE SUBSCRIPTION native CONNECTION ' . "'" . ($source =~ s/'/''/gr) . "'" . " PUBLICATION bench WITH (copy_data = false, create_slot = false, slot_name = 'native', binary = true)");
	my $self = bless { t => $t, name => 'native', conninfo => $conninfo }, $class;
	$self->arrive;
	$self->{applier} = SluiceTest::psql($conninfo, "SELECT pid FROM pg_stat_subscription WHERE subname = 'native'");
	$self->{walsender} = $t->source_sql("SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'native'");
	return $self;
}

# Native replication, from now on, waits for its commits to be on disk, as sluice does.
sub commit_durably
{
	my ($self) = @_;
	$self->thaw;
	SluiceTest::psql($self->{conninfo}, 'ALTER SUBSCRIPTION native SET (synchronous_commit = on)');
	$self->arrive;
	return;
}

# Waits until what is in the source now has arrived.
sub arrive
{
	my ($self) = @_;
	awaited(wait_for_row($self->{conninfo}, mark($self->{t})));
	return;
}

# With from_log the walsender is stopped, too, and decodes only after the resume.
sub freeze { my ($self) = @_; kill 'STOP', $self->{applier}, $self->{from_log} ? $self->{walsender} : (); return; }
sub thaw { my ($self) = @_; kill 'CONT', $self->{walsender}, $self->{applier}; return; }

# Resumes it until a marker has arrived; returns seconds, CPU seconds of the
# walsender, the applier and the destination's sessions, the applier's peak of memory in MB.
sub race
{
	my ($self, $id) = @_;
	my @pids = ([$self->{walsender}], [$self->{applier}], $self->{backends} // []);
	my $watch = wait_for_row($self->{conninfo}, $id);
	my @before = map { cpu_seconds(@$_) } @pids;
	reset_peak($self->{applier});
	my $start = time;
	$self->thaw;
	my $seconds = awaited($watch) - $start;
	my @after = map { cpu_seconds(@$_) } @pids;
	my $result = { seconds => $seconds, peak_mb => memory_kb($self->{applier}, 'VmHWM') / 1024 };
	@$result{qw(walsender applier destination)} = map { $after[$_] - $before[$_] } 0 .. 2;
	$self->freeze;
	return $result;
}

# Both catch up, and stop again.
sub level
{
	my (@followers) = @_;
	$_->thaw for @followers;
	$_->arrive for @followers;
	sleep 0.3;
	$_->freeze for @followers;
	return;
}

sub end
{
	my ($self) = @_;
	$self->thaw;
	return $self->{t}->stop if $self->{name} eq 'sluice';
	SluiceTest::psql($self->{conninfo}, 'ALTER SUBSCRIPTION native DISABLE; ALTER SUBSCRIPTION native SET (slot_name = NONE); DROP SUBSCRIPTION native');
	return;
}

1;
