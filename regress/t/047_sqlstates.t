#!/usr/bin/perl
# What a server answers is told by its SQLSTATE, whatever its language: logins that are refused, rows that a target
# refuses, and trouble that passes, which is tried again and holds nothing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('its logins and its language are changed');

# A locale of another language for both servers, where this machine has what it takes.
my $german = do
{
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my ($out, $err) = ('', '');
	$ENV{LOCPATH} = $folder
	  if eval { IPC::Run::run([ 'localedef', '-i', 'de_DE', '-f', 'UTF-8', "$folder/de_DE.UTF-8" ], '>', \$out, '2>', \$err) };
	-d "$folder/de_DE.UTF-8";
};
my $conf = $german ? "lc_messages = 'de_DE.UTF-8'" : '';
note('no German locale can be made here: the servers speak English') unless $german;

my $t = SluiceTest->new(source => { conf => $conf }, destination => { conf => $conf });
delete $ENV{LOCPATH};	# the servers have it
$t->source_sql(q{
	CREATE ROLE reader LOGIN REPLICATION PASSWORD 'right';
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, 10) i;
	GRANT SELECT ON t TO reader;
});
$t->destination_sql(q{
	CREATE ROLE loader LOGIN PASSWORD 'right';
	GRANT ALL ON SCHEMA public TO loader;
	GRANT pg_read_all_stats, pg_signal_backend TO loader;
});
my $database = $t->destination_sql('SELECT quote_ident(current_database())');
$t->destination_sql("GRANT CREATE ON DATABASE $database TO loader");
for my $cluster ($t->source, $t->destination)
{
	my $hba = $cluster->data_dir . '/pg_hba.conf';
	my $rest = SluiceTest::_slurp($hba);
	open my $file, '>', $hba or die "cannot write $hba: $!";
	print $file "local all reader,loader scram-sha-256\nlocal replication reader scram-sha-256\n$rest";
	close $file;
	$cluster->reload;
}

my %conninfo = (
	source => $t->source_conninfo =~ s/ user=\S+/ user=reader/r,
	destination => $t->destination_conninfo =~ s/ user=\S+/ user=loader/r);
sub configure
{
	my (%password) = @_;
	$t->configure({ map { my $end = $_; $end => { conninfo => "$conninfo{$end} password=" . ($password{$end} // 'right') } }
		  qw(source destination) });
}

if ($german)
{
	my (undef, undef, $words) = SluiceTest::psql_try($t->source_conninfo, 'SELECT 1/0');
	like($words, qr/Division durch Null/, 'the servers speak German');
}

# ---- logins

for my $end (qw(source destination))
{
	configure($end => 'wrong');
	for my $verb (qw(check run))
	{
		$t->fails_like([$verb], 3, qr/cannot connect to the $end: user or password is wrong \(28P01: /,
			"$verb with a wrong password at the $end");
	}
	$t->fails_like(['compare'], 1, qr/28P01/, 'compare, too');
}
configure();
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the right ones do');

# Ends every session of a role, and waits until it has.
sub end_sessions
{
	$t->destination_sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'loader'});
}

$t->destination_sql(q{ALTER ROLE loader PASSWORD 'another'});
end_sessions();
$t->source_sql(q{INSERT INTO t VALUES (12, 'to be noticed')});
$t->poll_ok(sub { $t->log =~ /28P01.*trying again/ }, 'a login that is refused later is tried again');
$t->destination_sql(q{ALTER ROLE loader PASSWORD 'right'});
$t->source_sql(q{INSERT INTO t VALUES (11, 'after the password')});
$t->wait_applied_ok('and goes on once the password is right again');

# ---- trouble that passes

my $held = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
$t->source_sql(q{UPDATE t SET v = v || '!' WHERE id <= 3});
my $waiting = q{FROM pg_stat_activity WHERE usename = 'loader' AND wait_event_type = 'Lock'};
$t->poll_ok(sub { $t->destination_sql("SELECT count(*) $waiting") > 0 }, 'a batch waits for a lock');
$t->destination_sql("SELECT pg_cancel_backend(pid) $waiting");
$t->poll_ok(sub { $t->log =~ /(?:canceling statement|storniere Anfrage).*trying again/ },
	'a cancelled statement is tried again');
SluiceTest::release($held);
$t->wait_applied_ok('a cancelled batch is applied');

# What a full disk or a lack of memory looks like.
$t->destination_sql(q{
	CREATE TABLE trouble (code text);
	GRANT SELECT ON trouble TO loader;
	CREATE FUNCTION meet_trouble() RETURNS trigger LANGUAGE plpgsql AS $$
		DECLARE found text;
		BEGIN
			SELECT code INTO found FROM public.trouble;
			IF found IS NOT NULL THEN RAISE 'in trouble' USING ERRCODE = found; END IF;
			RETURN NULL;
		END $$;
	CREATE TRIGGER trouble AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION meet_trouble();
});
for my $code (qw(53100 53200 58030))
{
	$t->destination_sql("TRUNCATE trouble; INSERT INTO trouble VALUES ('$code')");
	my $before = length $t->log;
	my $failures = sub { my $new = substr $t->log, $before; () = $new =~ /in trouble.*trying again/g };
	$t->source_sql("UPDATE t SET v = v || ' $code' WHERE id = 5");
	my $long = $code eq '53100'; # one of them until the pauses grow
	$t->poll_ok(sub { $failures->() >= ($long ? 3 : 1) }, "$code is tried again");
	my @pauses = substr($t->log, $before) =~ /in trouble.*trying again in ([\d.]+) s/g;
	cmp_ok($pauses[2], '>', $pauses[0], 'with growing pauses') if $long;
	my $status;
	$t->poll_ok(sub { $status = $t->status; $status->{phase} eq 'retrying' }, 'status says so');
	like($status->{last_error} // '', qr/in trouble/, 'and why');
	$t->destination_sql('TRUNCATE trouble');
	$t->wait_applied_ok("what met $code is applied");
}
$t->destination_sql('DROP TRIGGER trouble ON t');
$t->equal_ok('public.t');

# ---- a row that the target refuses

$t->destination_sql(q{ALTER TABLE t ADD CONSTRAINT no_thirteen CHECK (v <> 'thirteen')});
$t->source_sql(q{INSERT INTO t SELECT i, CASE i WHEN 1013 THEN 'thirteen' ELSE 'fine' END FROM generate_series(1001, 1100) i});
is($t->wait_for_end, 1, 'a refused row stops the run');
like($t->log, qr/row with id=1013\b.*no_thirteen|no_thirteen.*row with id=1013\b|row with "?id"? ?=? ?1013/, 'and is named by its key');

for my $end (qw(source destination))
{
	unlike(SluiceTest::_slurp($t->$end->logfile), qr/session_replication_role|lc_messages»?/,
		"the log of the $end has no line about a parameter that the role may not set");
}

done_testing();
