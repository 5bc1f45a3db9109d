#!/usr/bin/perl
# How the destination's planner finds the rows of a batch: by their key's index
# as long as the batch is small next to the target, with no statistics right after
# the start, and with old ones after the target has grown; rows without a key by
# the index that was made for them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it reads plans from the log of a PostgreSQL');

my $t = SluiceTest->new(destination => { conf => "
	session_preload_libraries = 'auto_explain'
	auto_explain.log_min_duration = 0
	autovacuum = off
" });
my $key_rows = 1000;
$t->source_sql("
	CREATE TABLE orders (id int PRIMARY KEY, n int, note text);
	CREATE TABLE visits (a int, note text); ALTER TABLE visits REPLICA IDENTITY FULL;
	INSERT INTO orders SELECT i, i, 'note ' || i FROM generate_series(1, $key_rows) i;
	INSERT INTO visits SELECT i, 'note ' || i FROM generate_series(1, 20000) i;
	ANALYZE visits");
$t->configure;
$t->start;
$t->wait_applied_ok('the copy');

my $read = 0;	# so much of the destination's log

# The plans of the statements on a target that were logged since the last call.
sub plans
{
	my ($pattern) = @_;
	my $log = PostgreSQL::Test::Utils::slurp_file($t->destination->logfile);
	my $new = substr $log, $read;
	$read = length $log;
	return grep { /$pattern/ } split /^(?=\d{4}-\d\d-\d\d \S+ \S+ \[)/m, $new;
}

sub plan_ok
{
	my ($sql, $statement, $by, $name) = @_;
	plans(qr/./);
	$t->source_sql($sql);
	$t->wait_applied_ok($name);
	my @plans = plans(qr/$statement/);
	is(scalar(@plans), 1, "$name: one statement");
	like($plans[0] // '', $by, "$name: by an index");
	unlike($plans[0] // '', qr/Seq Scan on (orders|visits)\b/, "$name: the target is not read as a whole");
	return;
}

my $update = qr/Query Text: UPDATE ONLY "public"\."orders" AS t .* FROM pg_temp\./;
my $delete = qr/Query Text: DELETE FROM ONLY "public"\."orders" AS t USING pg_temp\./;
my $by_key = qr/Index (Only )?Scan using orders_pkey on orders/;

# The target grows to the hundredfold; the planner has the statistics of the copy, or none.
$t->source_sql("INSERT INTO orders SELECT i, i, 'note ' || i FROM generate_series($key_rows + 1, 100 * $key_rows) i");
$t->wait_applied_ok('it grows');
plan_ok('UPDATE orders SET n = -n WHERE id % 100 = 0', $update, $by_key, 'updates after the growth');
plan_ok('DELETE FROM orders WHERE id % 100 = 1', $delete, $by_key, 'deletes after the growth');

is($t->stop, 0, 'it stops');
$t->start;
plan_ok('UPDATE orders SET n = -n WHERE id % 100 = 2', $update, $by_key, 'updates right after a start');
plan_ok('DELETE FROM orders WHERE id % 100 = 3', $delete, $by_key, 'deletes');

$t->destination_sql('ANALYZE');
plan_ok('UPDATE orders SET n = -n WHERE id % 100 = 4', $update, $by_key, 'updates with new statistics');
plan_ok('DELETE FROM orders WHERE id % 100 = 5', $delete, $by_key, 'deletes');
plan_ok("UPDATE visits SET note = note || '!' WHERE a % 100 = 0", qr/Query Text: DELETE FROM ONLY "public"\."visits"/,
	qr/Index (Only )?Scan using visits_sluice_idx on visits/, 'rows without a key');

is($t->stop, 0, 'it stops');
$t->all_equal_ok('public.orders', 'public.visits');

done_testing();
