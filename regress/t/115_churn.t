#!/usr/bin/perl
# Tables come and go several times a second in a schema that is followed: no
# start fails of them, and no daemon ends.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use IPC::Run ();
use SluiceTest;
use Test::More;

# A start that begins again says so in its own words.
my $false_reason = qr/GRANT|could not open relation|cache lookup|does not exist/;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE SCHEMA passing;
	CREATE TABLE lasting (id int PRIMARY KEY, v text);
	INSERT INTO lasting SELECT i, 'v' || i FROM generate_series(1, 100) i;
});
$t->configure;

# Tables with all that a look at them asks for: defaults, types of their own, partitions, columns without a key; each is gone
# after a moment.
my $churn = q{
SET client_min_messages = error;
DO $$
DECLARE n int := 0;
BEGIN
	WHILE EXISTS (SELECT FROM pg_class WHERE relname = 'lasting') LOOP
		n := n + 1;
		EXECUTE format('CREATE TYPE passing.mood_%1$s AS ENUM (''a'', ''b'');
			CREATE TABLE public.t_%1$s (id int PRIMARY KEY, v text DEFAULT lower(''X''), m passing.mood_%1$s DEFAULT ''a'');
			CREATE INDEX ON public.t_%1$s (lower(v)); INSERT INTO public.t_%1$s VALUES (1);
			CREATE TABLE public.bare_%1$s (v text);
			CREATE TABLE public.parted_%1$s (id int PRIMARY KEY) PARTITION BY RANGE (id);
			CREATE TABLE public.leaf_%1$s PARTITION OF public.parted_%1$s FOR VALUES FROM (0) TO (10)', n);
		COMMIT;
		IF n % 3 = 0 THEN PERFORM pg_sleep(random() * 0.15); END IF;
		EXECUTE format('DROP TABLE public.bare_%1$s', n);
		COMMIT;
		-- One at a time: a copy keeps its locks, as a dump does, and would wait in another order.
		EXECUTE format('DROP TABLE public.t_%1$s; DROP TYPE passing.mood_%1$s', n);
		COMMIT;
		EXECUTE format('DROP TABLE public.parted_%1$s', n);
		COMMIT;
		PERFORM pg_sleep(random() * 0.05);
	END LOOP;
END $$;
};
my @backends = map {
	my $sql = $_ == 1 ? $churn : $churn =~ s/public\.(t|bare|parted|leaf)_/public.${1}_b_/gr =~ s/mood_/mood_b_/gr;
	my $path = $t->directory . "/churn_$_.sql";
	open my $file, '>', $path or die "cannot write $path: $!";
	print $file $sql;
	close $file or die "cannot write $path: $!";
	IPC::Run::start([ 'psql', '-XAqt', '-v', 'ON_ERROR_STOP=1', '-d', $t->source_conninfo, '-f', $path ], '<', \'', '>', '/dev/null', '2>', "$path.err");
} 1 .. 2;

$t->poll_ok(sub { $t->source_sql("SELECT count(*) FROM pg_class WHERE relname ~ '^(t|bare|parted)_'") > 0 }, 'tables come and go');

sub changes { my ($n) = @_; $t->source_sql("UPDATE lasting SET v = v || '.' WHERE id % 7 = $n % 7; INSERT INTO lasting VALUES (1000 + $n, 'new')"); }

# A first start may find a table without a key at that moment, which is a reason to refuse it.
my $first = SluiceTest::poll(sub {
	my $result = $t->sluice('run', '--until', 'current');
	return $result if $result->{status} != 3 || $result->{stderr} !~ /bare_\S*: it has no replica identity|t_\S+: /;
	return undef;
});
is($first->{status}, 0, 'a first start') or diag($first->{stderr});

for my $n (1 .. 6)
{
	changes($n);
	my $result = $t->sluice('run', '--until', 'current');
	# A table without a key that is there when the run ends is named by it.
	my $named = $result->{status} == 1 && $result->{stderr} =~ /^sluice: public\.bare_\S+ waits: identity/m;
	ok($result->{status} == 0 || $named, "start $n") or diag($result->{stderr});
	unlike($result->{stderr}, $false_reason, 'no false reason is given');
	$t->equal_ok('public.lasting');
}

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
for my $n (11 .. 15)
{
	$t->source_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sluice%' AND backend_type "
		. ($n % 2 ? "= 'walsender'" : "<> 'walsender'"));
	changes($n);
	$t->wait_applied_ok("terminated $n: it goes on");
}
$t->destination_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice' AND datname = current_database()") for 1 .. 2;
changes(16);
$t->wait_applied_ok('terminated at the destination: it goes on');
ok($t->running, 'the daemon lives');

# What stays is taken in.
$t->source_sql('CREATE TABLE stays (id int PRIMARY KEY); INSERT INTO stays VALUES (1)');
$t->poll_ok(sub {
	$t->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_name = 'stays' AND state = 'streaming'");
}, 'a table that stays is taken in');
unlike($t->log, $false_reason, 'no false reason is given');
$t->source_sql('ALTER TABLE lasting RENAME TO lasted');
$_->finish for @backends;
my $said = join "", map { PostgreSQL::Test::Utils::slurp_file($t->directory . "/churn_$_.sql.err") } 1 .. 2;
is($said, "", "they came and went until then");
$t->wait_applied_ok('all is applied');
$t->all_equal_ok('public.lasted', 'public.stays');
is($t->stop, 0, 'SIGTERM ends it with 0');
is($t->destination_sql("SELECT count(*) FROM sluice.tables WHERE state LIKE 'held%'"), 0, 'nothing is held');

done_testing();
