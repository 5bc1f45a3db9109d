#!/usr/bin/perl
# A compressed stream: what arrives is what was sent, over small and large transactions, those that are sent while
# they are open, and each new connection; and it takes fewer bytes.
use strict;
use warnings;

use FindBin;
use HTTP::Tiny;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "
	logical_decoding_work_mem = 64kB
	autovacuum = off
" });
my $port = PostgreSQL::Test::Cluster::get_free_port();
my %http = (http => { listen => "127.0.0.1:$port" });
$t->source_sql(q{
	CREATE TABLE a (id int PRIMARY KEY, v text, n int);
	INSERT INTO a SELECT i, 'first ' || i, 0 FROM generate_series(1, 3000) i;
});

sub metric
{
	my ($name) = @_;
	return HTTP::Tiny->new->get("http://127.0.0.1:$port/metrics")->{content} =~ /^\Q$name\E\{[^}]*\} (\S+)$/m ? $1 : undef;
}

# Transactions of one change, rows of noise, rows larger than a part of a frame, and what is rolled back within.
sub change
{
	my ($from) = @_;
	$t->source_sql(join '', map { "UPDATE a SET n = n + $_, v = 'the text of ' || id WHERE id = $_;\n" } 1 .. 100);
	$t->source_sql(qq{
		INSERT INTO a SELECT $from + i, string_agg(md5((i * j)::text), ''), 0 FROM generate_series(1, 200) i, generate_series(1, 20) j GROUP BY i;
		INSERT INTO a SELECT $from + 1000 + i, string_agg(md5((i * j)::text), ''), 0 FROM generate_series(1, 2) i, generate_series(1, 20000) j GROUP BY i;
		BEGIN;
		UPDATE a SET n = n + 1;
		SAVEPOINT s;
		INSERT INTO a SELECT $from + 2000 + i, repeat('lost', 100), 0 FROM generate_series(1, 2000) i;
		ROLLBACK TO s;
		INSERT INTO a SELECT $from + 2000 + i, repeat('kept', 100), 0 FROM generate_series(1, 2000) i;
		COMMIT;
	});
	return;
}

$t->configure({ source => { compression => 'lz4' }, %http });
$t->start;
$t->wait_applied_ok('the copy is done');
change(10_000);
$t->wait_applied_ok('all kinds of transactions');
$t->equal_ok('public.a');
my ($received, $unpacked) = map { metric("sluice_${_}_bytes_total") } qw(received unpacked);
cmp_ok($received, '>', 0, 'the metrics count what was received');
cmp_ok($unpacked, '>', 1.5 * $received, 'and what it is after decompression');

# The walsender of a new connection knows nothing of what the one before has sent.
$t->kill9;
change(20_000);
$t->start;
$t->wait_applied_ok('after a crash');
$t->source_sql(q{SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'sluice_test'});
change(30_000);
$t->wait_applied_ok('after a lost connection');
$t->equal_ok('public.a');

# A reload changes it under a running daemon.
$t->configure({ source => { compression => 'none' }, %http });
$t->run_ok('reload');
($received, $unpacked) = map { metric("sluice_${_}_bytes_total") } qw(received unpacked);
change(40_000);
$t->wait_applied_ok('without compression');
$t->equal_ok('public.a');
# Each frame has a head of six bytes.
cmp_ok(metric('sluice_received_bytes_total') - $received, '>', metric('sluice_unpacked_bytes_total') - $unpacked, 'what was received is larger than what it holds');
$t->stop;

$t->configure({ source => { compression => 'zstd' } });
$t->fails_like(['check'], 2, qr/source\.compression.*none.*lz4/s, 'another method is refused');
done_testing();
