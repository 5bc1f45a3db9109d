# Used by tests of crashes: tables of several kinds, and traffic on them
# that never fails and never ends by itself: pgbench's own, and transactions of inserts, updates,
# deletes, key changes and truncates over several further
# tables.
#
#	my $traffic = Traffic->new($t, rows => 20000);	# makes the tables; script => a file for pgbench instead of its own
#	$traffic->start;
#	...
#	$traffic->stop;
#	$t->all_equal_ok($traffic->tables);
package Traffic;

use strict;
use warnings;

use Time::HiRes qw(sleep);

my @running;

sub new
{
	my ($class, $t, %options) = @_;
	my $self = bless { t => $t, scale => $options{scale} // 1, rate => $options{rate} // 50 }, $class;
	my $rows = $options{rows} // 10000;
	SluiceTest::command([ 'pgbench', '-q', '-i', '-s', $self->{scale}, $t->source_conninfo ])->{status} == 0
	  or die 'pgbench cannot make its tables';

	# bag has neither key nor distinct rows, so that it shows changes that are applied
	# twice; the check of the sum fails unless transactions are applied as a whole.
	$t->source_sql("
		ALTER TABLE pgbench_history REPLICA IDENTITY FULL;
		CREATE TABLE keyed (id int PRIMARY KEY, label text UNIQUE, n int NOT NULL, body text);
		ALTER TABLE keyed ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE bag (a int, b text, c numeric);
		ALTER TABLE bag REPLICA IDENTITY FULL;
		CREATE TABLE emptied (id serial PRIMARY KEY, v text);
		CREATE TABLE pair (a int, b text, v int, PRIMARY KEY (b, a));
		INSERT INTO keyed SELECT i, 'label ' || i, 0, CASE WHEN i % 50 = 0 THEN repeat('x' || i, 2000) END
			FROM generate_series(1, $rows) i;
		INSERT INTO bag SELECT i % 7, CASE WHEN i % 3 > 0 THEN 'b' || i % 5 END, NULLIF(i % 4, 0)
			FROM generate_series(1, $rows) i;
		INSERT INTO pair SELECT i, 'p' || i % 9, 0 FROM generate_series(1, $rows) i;
		INSERT INTO emptied (v) SELECT 'v' || i FROM generate_series(1, 100) i;
	");
	$self->{script} = $options{script} // $self->_write_script($rows);
	return $self;
}

sub tables
{
	return map { "public.$_" }
	  qw(keyed bag emptied pair pgbench_accounts pgbench_tellers pgbench_branches pgbench_history);
}

sub _write_script
{
	my ($self, $rows) = @_;
	my $path = $self->{t}->directory . '/traffic.sql';
	open my $file, '>', $path or die;
	print $file "
		\\set id random(1, $rows)
		\\set other random(1, $rows)
		\\set d random(0, 6)
		\\set dice random(1, 40)
		BEGIN;
		UPDATE keyed SET n = n + 1 WHERE id BETWEEN :id AND :id + 3;
		UPDATE keyed SET id = -id WHERE id = :other AND NOT EXISTS (SELECT FROM keyed WHERE id = -:other);
		INSERT INTO bag SELECT :d, CASE WHEN :dice > 9 THEN 'b' || :d END, NULL FROM generate_series(1, 3);
		DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = :d AND b IS NULL LIMIT 2);
		UPDATE bag SET b = 'u' WHERE ctid IN (SELECT ctid FROM bag WHERE a = :d AND c = 2 LIMIT 1);
		INSERT INTO emptied (v) VALUES ('v' || :id);
		UPDATE pair SET v = v + 1 WHERE a = :id;
		END;
		\\if :dice = 1
		BEGIN; TRUNCATE emptied; INSERT INTO emptied (v) SELECT 'new' || i FROM generate_series(1, 5) i; END;
		\\elif :dice = 2
		BEGIN; DELETE FROM pair WHERE a = :id; DELETE FROM keyed WHERE id = :id; END;
		\\elif :dice = 3
		INSERT INTO keyed VALUES (:id, 'again ' || random(), 0, repeat('y', 3000)) ON CONFLICT DO NOTHING;
		\\elif :dice = 4
		BEGIN; UPDATE keyed SET label = 'x' || label; ROLLBACK;
		\\elif :dice = 5
		BEGIN; INSERT INTO bag SELECT 99, NULL, i FROM generate_series(1, 2000) i;
			SAVEPOINT s; DELETE FROM bag; ROLLBACK TO s;
			DELETE FROM bag WHERE a = 99 AND c > 5; END;
		\\endif
	";
	close $file or die;
	return $path;
}

sub start
{
	my ($self) = @_;
	my ($t, $rate) = ($self->{t}, $self->{rate});
	my @common = ('pgbench', '-n', '-T', 24 * 3600, $t->source->{_pg_version} < 15 ? () : ('--max-tries', 20));
	$self->_spawn(@common, '-c', 2, '-R', 2 * $rate, '-b', 'tpcb-like', $t->source_conninfo);
	$self->_spawn(@common, '-c', 1, '-R', $rate, '-f', $self->{script}, $t->source_conninfo);
}

sub _spawn
{
	my ($self, @command) = @_;
	defined(my $pid = fork) or die "cannot fork: $!";
	if (!$pid)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>', $self->{t}->directory . '/pgbench.log';
		open STDERR, '>&', \*STDOUT;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
		exec @command or POSIX::_exit(127);
	}
	push @running, $pid;
	push @{ $self->{pids} }, $pid;
}

# Whether all traffic still runs: it ends early if its server does.
sub running
{
	my ($self) = @_;
	return !grep { waitpid($_, POSIX::WNOHANG()) != 0 } @{ $self->{pids} // [] };
}

# Ends the traffic, and waits until the server has ended its sessions too.
sub stop
{
	my ($self) = @_;
	for my $pid (@{ $self->{pids} // [] })
	{
		kill 'TERM', $pid;
		waitpid $pid, 0;
		@running = grep { $_ != $pid } @running;
	}
	$self->{pids} = [];
	SluiceTest::poll(sub {
		$self->{t}->source_sql(
			"SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'") eq 't';
	});
}

END
{
	my $status = $?;
	for my $pid (@running) { kill 'KILL', $pid; waitpid $pid, 0; }
	$? = $status;
}

1;
