#!/usr/bin/perl
# A task's whole life with the roles of docs/security.md and no right beyond, over TLS that verifies both servers.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes roles and certificates');

# ---- certificates: an authority, the servers' of it, and one of nobody's

my $folder = PostgreSQL::Test::Utils::tempdir('certificates');
sub openssl { PostgreSQL::Test::Utils::run_log([ 'openssl', @_ ]) or die "openssl @_ failed"; }

sub authority
{
	my ($name) = @_;
	openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', 2, '-subj', "/CN=$name", '-keyout', "$folder/$name.key", '-out', "$folder/$name.crt");
}

sub certificate
{
	my ($name, $host) = @_;
	PostgreSQL::Test::Utils::append_to_file("$folder/$name.ext", "subjectAltName = DNS:$host\n");
	openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$host", '-keyout', "$folder/$name.key", '-out', "$folder/$name.csr");
	openssl('x509', '-req', '-days', 2, '-in', "$folder/$name.csr", '-CA', "$folder/ours.crt", '-CAkey', "$folder/ours.key", '-CAcreateserial',
		'-extfile', "$folder/$name.ext", '-out', "$folder/$name.crt");
	chmod 0600, "$folder/$name.key";
}
authority($_) for 'ours', 'strangers';
certificate('localhost', 'localhost');
my $ssl = "ssl = on\nssl_cert_file = '$folder/localhost.crt'\nssl_key_file = '$folder/localhost.key'\nlog_connections = on\n";

# ---- the roles, to the letter

my $t = SluiceTest->new(source => { tcp => 1, conf => $ssl }, destination => { tcp => 1, conf => $ssl, database => 'dw' });

sub documented
{
	my ($end) = @_;
	my $text = PostgreSQL::Test::Utils::slurp_file("$SluiceTest::top/docs/security.md");
	$text =~ /^```sql\n-- $end\n(.*?)^```$/ms or die "no roles of the $end in docs/security.md";
	return $1;
}
# Those who make tables are no superusers either.
$t->source_sql('CREATE ROLE owner LOGIN; GRANT USAGE, CREATE ON SCHEMA public TO owner');
my $owner = $t->source_conninfo =~ s/user=postgres/user=owner/r;
sub owner { return SluiceTest::psql($owner, $_[0]); }
owner(q{
	CREATE TYPE mood AS ENUM ('sad', 'ok');
	CREATE TABLE orders (id int PRIMARY KEY, note text DEFAULT upper('x'), mood mood);
	CREATE INDEX by_note ON orders (lower(note));
	INSERT INTO orders SELECT i, 'note ' || i, 'ok' FROM generate_series(1, 1000) i;
	CREATE TABLE parted (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
	INSERT INTO parted SELECT i, date '2024-01-01' + i FROM generate_series(1, 300) i;
	CREATE TABLE keyless (v text); ALTER TABLE keyless REPLICA IDENTITY FULL; INSERT INTO keyless VALUES ('a'), ('a'), ('b');
});
$t->source_sql(documented('source'));
$t->destination_sql(documented('destination'));
for my $end ([ $t->source, 'shop', 'sluice' ], [ $t->destination, 'dw', 'loader' ])
{
	my ($cluster, $database, $role) = @$end;
	# Over the network these roles alone, and only with TLS.
	$cluster->append_conf('pg_hba.conf', "hostssl $database $role 127.0.0.1/32 scram-sha-256");
	my $hba = $cluster->data_dir . '/pg_hba.conf';
	my @lines = grep { !/^host\s/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($hba);
	open my $file, '>', $hba or die "cannot write $hba: $!";
	print $file "$_\n" for @lines;
	close $file;
	$cluster->reload;
}
my %role = (source => 'dbname=shop user=sluice password=secret', destination => 'dbname=dw user=loader password=secret');
sub conninfo { my ($end, $tls) = @_; return "host=localhost port=" . $t->$end->port . " $role{$end} $tls"; }
my $verified = "sslmode=verify-full sslrootcert=$folder/ours.crt";
my %ends = map { $_ => { conninfo => conninfo($_, $verified) } } 'source', 'destination';

# ---- whom the program does not know it does not talk to

for my $end ('source', 'destination')
{
	for my $case (
		[ 'an authority that is not the server\'s', "sslmode=verify-full sslrootcert=$folder/strangers.crt", qr/certificate verify failed/ ],
		[ 'another name', "$verified host=elsewhere.example hostaddr=127.0.0.1", qr/does not match host name/ ],
		[ 'no TLS', 'sslmode=disable', qr/no pg_hba\.conf entry|28000/ ])
	{
		my ($name, $tls, $message) = @$case;
		$t->configure({ %ends, $end => { conninfo => conninfo($end, $tls) } });
		my $check = $t->sluice('check');
		is($check->{status}, 3, "$end, $name: check fails");
		like($check->{stdout}, qr/^failed +connection +.*$end.*$message/m, 'and says why');
	}
}
$t->configure({ %ends, retry => { duration => '1s' }, source => { conninfo => conninfo('source', "sslmode=verify-full sslrootcert=$folder/strangers.crt") } });
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/cannot connect to the source: .*certificate verify failed/, 'run gives up with it');
is($t->destination_sql(q{SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'sluice'}), 0, 'nothing was made');

# ---- the life

my @tables = qw(public.orders public.parted public.keyless);
$t->configure({ %ends, schema => { indexes => 'all', partitions => 'keep' } });
my $check = $t->run_ok('check')->{stdout};
unlike($check, qr/^(warning|failed)/m, 'check has nothing to say against the roles');
like($t->run_ok('schema')->{stdout}, qr/^CREATE TABLE "public"\."orders"/m, 'schema');
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the copy');
$t->all_equal_ok(@tables);
owner(q{
	INSERT INTO orders SELECT i, 'later', 'sad' FROM generate_series(1001, 3000) i; UPDATE orders SET note = 'new' WHERE id < 700; DELETE FROM orders WHERE id % 7 = 0;
	DELETE FROM keyless WHERE v = 'b'; INSERT INTO keyless VALUES ('c'); UPDATE parted SET at = at + 1;
});
$t->wait_applied_ok('changes');
$t->all_equal_ok(@tables);
owner(q{
	ALTER TABLE orders ADD COLUMN n int DEFAULT 7; ALTER TABLE orders RENAME COLUMN note TO remark; ALTER TYPE mood ADD VALUE 'well'; ALTER TABLE orders ALTER remark SET DEFAULT lower('Y');
	CREATE TABLE fresh (id int PRIMARY KEY); INSERT INTO fresh VALUES (1), (2);
});
owner(q{UPDATE orders SET mood = 'well' WHERE id = 1; TRUNCATE keyless; INSERT INTO keyless VALUES ('z')});
push @tables, 'public.fresh';
$t->wait_applied_ok('DDL');
$t->poll_ok(sub { 4 == grep { $_->{state} eq 'streaming' } @{ $t->status->{tables} } }, 'a new table is followed');
$t->all_equal_ok(@tables);
is($t->run_ok('table', 'resync', 'public.orders')->{status}, 0, 'resync');
$t->poll_ok(sub { $t->log =~ /copied public\.orders.*copied public\.orders/s && 4 == grep { $_->{state} eq 'streaming' } @{ $t->status->{tables} } }, 'copies again');
owner('DELETE FROM orders WHERE id < 50');
$t->wait_applied_ok('after it');
$t->all_equal_ok(@tables);
like($t->run_ok('compare')->{stdout}, qr/^equal +public\.orders/m, 'compare');
like($t->run_ok('status')->{stdout}, qr/streaming/, 'status');
is($t->stop, 0, 'stop');
unlike($t->log, qr/ (warning|error) /, 'nothing was worth a warning');
# ---- what is taken from the source's role once the task has worked

for my $case ([ 'NOLOGIN', 'LOGIN', qr/the server does not let the user in \(28000/ ],
	[ 'NOREPLICATION', 'REPLICATION', qr/sluice lacks the attribute REPLICATION: ALTER ROLE sluice REPLICATION/ ])
{
	my ($taken, $given, $message) = @$case;
	$t->source_sql("ALTER ROLE sluice $taken");
	$t->fails_like([ 'run', '--until', 'current' ], 1, $message, $taken);
	$t->source_sql("ALTER ROLE sluice $given");
}
$t->run_ok('run', '--until', 'current');
$t->run_ok('drop');
is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), 0, 'drop');

# ---- both sides were TLS all the way, and no more was granted than is documented

for my $end ('source', 'destination')
{
	my $log = PostgreSQL::Test::Utils::slurp_file($t->$end->logfile);
	my ($role) = $role{$end} =~ /user=(\w+)/;
	my @logins = $log =~ /connection authorized: (user=$role .*)/g;
	ok(@logins > 3 && @logins == grep({ /SSL enabled/ } @logins), "$end: each of " . @logins . ' logins with TLS');
}
is($t->source_sql(q{SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = 'sluice'}), 'f', 'the source\'s role is none to be feared');
is($t->destination_sql(q{SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls OR has_database_privilege('loader', 'dw', 'CREATE') FROM pg_roles WHERE rolname = 'loader'}), 'f', 'nor the destination\'s');

done_testing();
