#!/usr/bin/perl
# Everything at once and at random: traffic on tables of every identity, while
# the daemon is killed, connections are ended, servers crash, and tables are made,
# dropped, added, removed and copied again.  The daemon must never end by itself,
# and in the end both sides are equal.
#
#	SLUICE_TEST_STORM_S	how long it blows (25), in calms of as many seconds
#	SEED			which one
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;
use Time::HiRes qw(sleep time);

SluiceTest::needs_own_destination('its servers are stopped');

my $seconds = $ENV{SLUICE_TEST_STORM_S} // 25;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = 64kB\n" });
$t->source_sql(q{
	CREATE TABLE keyed (id int PRIMARY KEY, v text, n int);
	CREATE TABLE wide (id int PRIMARY KEY, big text, n int);
	ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
	CREATE TABLE bag (id int, v text, n int);
	ALTER TABLE bag REPLICA IDENTITY FULL;
	CREATE TABLE indexed (id int NOT NULL, v text, n int);
	CREATE UNIQUE INDEX indexed_id ON indexed (id);
	ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id;
	CREATE TABLE parts (id int PRIMARY KEY, v text, n int) PARTITION BY RANGE (id);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (500);
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (500) TO (MAXVALUE);
	CREATE TABLE changed (id int PRIMARY KEY, v text, n int);
	INSERT INTO keyed SELECT i, 'v' || i, 0 FROM generate_series(1, 3000) i;
	INSERT INTO wide SELECT i, repeat('w' || i, 1000), 0 FROM generate_series(1, 400) i;
	INSERT INTO bag SELECT i % 50, CASE WHEN i % 3 > 0 THEN 'b' END, i % 2 FROM generate_series(1, 2000) i;
	INSERT INTO indexed SELECT i, 'v' || i, 0 FROM generate_series(1, 2000) i;
	INSERT INTO parts SELECT i, 'v' || i, 0 FROM generate_series(1, 1000) i;
	INSERT INTO changed SELECT i, 'v' || i, 0 FROM generate_series(1, 1000) i;
	CREATE SCHEMA control;
	CREATE FUNCTION control.dice(int) RETURNS int LANGUAGE sql AS 'SELECT floor(random() * $1)::int';
	-- One change of one table; those that a key forbids leave nothing behind.
	CREATE FUNCTION control.change(name text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		a int := control.dice(1500);
		kind int := control.dice(20);
		v text := CASE WHEN name = 'wide' THEN 'big' ELSE 'v' END;
	BEGIN
		IF kind < 6 THEN
			EXECUTE format('INSERT INTO %I (id, %I, n) SELECT %s + i, %L || i, %s FROM generate_series(1, %s) i', name, v, 2000 + control.dice(100000), 'new', a, 1 + control.dice(5));
		ELSIF kind < 11 THEN
			EXECUTE format('UPDATE %I SET n = n + 1 WHERE id BETWEEN %s AND %s', name, a, a + control.dice(20));
		ELSIF kind < 13 THEN
			EXECUTE format('UPDATE %I SET %I = %L WHERE id = %s', name, v, repeat('u', control.dice(5000)), a);
		ELSIF kind < 15 THEN
			EXECUTE format('UPDATE %I SET id = %s WHERE id = %s', name, control.dice(100000), a);
		ELSIF kind < 18 THEN
			EXECUTE format('DELETE FROM %I WHERE id BETWEEN %s AND %s', name, a, a + control.dice(4));
		ELSIF kind = 18 THEN
			EXECUTE format('INSERT INTO %I (id, %I, n) SELECT %s + i, %L || i, 0 FROM generate_series(1, %s) i', name, v, 1000000 + control.dice(1000) * 1000, 'many', 100 + control.dice(800));
			EXECUTE format('DELETE FROM %I WHERE id > 1000000 AND random() < 0.7', name);
		ELSIF control.dice(8) = 0 THEN
			EXECUTE format('TRUNCATE %I', name);
		END IF;
	EXCEPTION WHEN unique_violation THEN NULL;
	END $$;
	CREATE FUNCTION control.change_some(most int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		names text[] := ARRAY(SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
			AND has_table_privilege(oid, 'INSERT') ORDER BY 1);
	BEGIN
		FOR i IN 1 .. 1 + control.dice(most) LOOP
			BEGIN
				PERFORM control.change(names[1 + control.dice(cardinality(names))]);
				IF control.dice(6) = 0 THEN
					RAISE division_by_zero;
				END IF;
			EXCEPTION WHEN division_by_zero THEN NULL;
			END;
		END LOOP;
		IF control.dice(15) = 0 THEN
			RAISE EXCEPTION 'taken back';
		END IF;
	END $$;
});
my $configured = 0;

# Each time something differs that only another attempt takes over.
sub configure
{
	$t->configure({
		source => { compression => 'lz4' },
		tables => { include => ['public.*'], exclude => ['public.never'] },
		apply => { memory => '16MB', max_bytes => $configured++ % 2 ? '512kB' : '256kB' },
		initial_copy => { jobs => 2, existing => 'clear' },
		log => { level => $ENV{SLUICE_TEST_STORM_LOG} // 'info' },
	});
}

configure();

# ---- the traffic: processes of their own, which mind no error

my @traffic;

sub start_traffic
{
	for my $most (4, 4, 60)
	{
		defined(my $pid = fork) or die "cannot fork: $!";
		if (!$pid)
		{
			$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
			open STDIN, '<', '/dev/null';
			open STDOUT, '>>', $t->directory . '/traffic.log';
			open STDERR, '>&', \*STDOUT;
			my $script = join ' ', map { "SET lock_timeout = '2s'; SELECT control.change_some($most); SELECT pg_sleep(random() * 0.05);" } 1 .. 20;
			$ENV{PGAPPNAME} = 'traffic';
			while (1)
			{
				system 'psql', '-XAqt', '-d', $t->source_conninfo, map { ('-c', $_) } split /(?<=;) /, $script;
				POSIX::_exit(0) if getppid() == 1;
				select undef, undef, undef, 0.1;
			}
		}
		push @traffic, $pid;
	}
}

sub stop_traffic
{
	kill 'KILL', @traffic;
	waitpid $_, 0 for @traffic;
	@traffic = ();
	try_source("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'traffic'");
}

END
{
	my $status = $?;
	kill 'KILL', @traffic if @traffic;
	$? = $status;
}

# ---- what happens to it

sub try_source { return (SluiceTest::psql_try($t->source_conninfo, $_[0]))[1]; }
sub try_destination { return (SluiceTest::psql_try($t->destination_conninfo, $_[0]))[1]; }
sub one_of { return $_[ int rand @_ ]; }
sub any_table { return 'public.' . one_of(qw(keyed wide bag indexed parts changed new1 new2 new3)); }

my $ended = 0; # by itself

sub running_ok
{
	my ($after) = @_;
	return if $t->running;
	# What a stop of ours ended has ended well.
	$ended++;
	fail("it ended by itself after: $after");
	diag(substr $t->log, -3000);
	$t->start;
}

my @deeds = (
	[ 6, 'kill -9', sub { $t->kill9; $t->start } ],
	[ 2, 'stop', sub { my $status = $t->stop; is($status, 0, 'SIGTERM ends it with 0') if $status; $t->start } ],
	[ 6, 'end a session at the source', sub {
		try_source("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' ORDER BY random() LIMIT 1") } ],
	[ 6, 'end a session at the destination', sub {
		try_destination("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' ORDER BY random() LIMIT 1") } ],
	[ 1, 'crash of the source', sub { $t->source->stop('immediate'); $t->source->start } ],
	[ 1, 'crash of the destination', sub { $t->destination->stop('immediate'); $t->destination->start } ],
	[ 8, 'resync', sub { $t->sluice('table', 'resync', any_table()) } ],
	[ 1, 'remove', sub { $t->sluice('table', 'remove', any_table()) } ],
	[ 4, 'add', sub { $t->sluice('table', 'add', any_table()) } ],
	[ 2, 'pause', sub { $t->sluice('pause'); sleep rand 2; $t->sluice('resume') } ],
	[ 2, 'reload', sub { configure(); $t->sluice('reload') } ],
	[ 5, 'make', sub {
		my $name = one_of(qw(new1 new2 new3));
		my $key = one_of('id int PRIMARY KEY', 'id int');
		try_source("BEGIN; CREATE TABLE $name ($key, v text, n int); INSERT INTO $name SELECT i, 'made', 0 FROM generate_series(1, 500) i; COMMIT") } ],
	[ 2, 'make of others', sub {
		my $name = one_of(qw(new1 new2 new3));
		try_source("CREATE TABLE $name AS SELECT id, v, n FROM keyed; ALTER TABLE $name REPLICA IDENTITY FULL") } ],
	[ 2, 'identity', sub { try_source('ALTER TABLE ' . one_of(qw(new1 new2 new3)) . ' REPLICA IDENTITY FULL') } ],
	[ 3, 'drop', sub { try_source('DROP TABLE ' . one_of(qw(new1 new2 new3))) } ],
	[ 1, 'rename', sub { try_source("SET lock_timeout = '2s'; BEGIN; ALTER TABLE new1 RENAME TO passing; ALTER TABLE new2 RENAME TO new1; ALTER TABLE passing RENAME TO new2; COMMIT") } ],
	[ 4, 'alter', sub {
		my $column = one_of(qw(x y z));
		# A target that lacks a column before its first copy is refused.
		return if try_destination("SELECT definition IS NOT NULL FROM sluice.tables WHERE source_name = 'changed'") ne 't';
		try_source("SET lock_timeout = '2s'; ALTER TABLE changed " . one_of("ADD $column int", "ADD $column int DEFAULT 7", "DROP $column", "RENAME x TO z",
			"ALTER n TYPE bigint", "ALTER n TYPE int USING n + 1", "ADD $column text DEFAULT random()::text")) } ],
	[ 2, 'wait', sub { sleep 2 } ],
);
my @bag = map { my $deed = $_; ($deed) x $deed->[0] } @deeds;

sub calm_ok
{
	my ($round) = @_;
	stop_traffic();
	running_ok('the storm');
	my $status = $t->stop;
	is($status, 0, "round $round: SIGTERM ends it with 0");
	# What has no identity is refused at a start.
	for my $name (qw(new1 new2 new3))
	{
		try_source("ALTER TABLE $name REPLICA IDENTITY FULL");
	}
	my $result = $t->sluice('run', '--until', 'current');
	is($result->{status}, 0, "round $round: it comes to the present") or diag(substr $result->{stderr}, -3000);
	is($t->destination_sql("SELECT count(*) FROM sluice.tables WHERE state NOT IN ('streaming', 'dropped')"), 0, "round $round: all tables stream")
	  or diag($t->destination_sql('SELECT source_name, state, rebuild, error FROM sluice.tables'));
	my @tables = split /\n/, $t->destination_sql("SELECT quote_ident(source_schema) || '.' || quote_ident(source_name) FROM sluice.tables WHERE state <> 'dropped' ORDER BY 1");
	$t->all_equal_ok(@tables);
}

my $began = time;
for (my $round = 1; time - $began < $seconds; $round++)
{
	my $until = time + ($seconds < 25 ? $seconds : 25);
	my @done;
	$t->start;
	# What a check refuses before there is a task keeps it from beginning.
	$t->poll_ok(sub { try_destination('SELECT applied_lsn > \'0/0\' FROM sluice.progress') eq 't' }, 'the task has begun') if $round == 1;
	start_traffic();
	while (time < $until)
	{
		sleep rand() < 0.3 ? rand 2 : rand 0.5;
		my $deed = one_of(@bag);
		note(sprintf '%.1f %s', time - $began, $deed->[1]);
		push @done, $deed->[1];
		running_ok(join ', ', @done[ -5 .. -1 ]) if @done > 5;
		$deed->[2]->();
	}
	calm_ok($round);
	last if !Test::More->builder->is_passing;
}
is($ended, 0, 'it has never ended by itself');

done_testing();
