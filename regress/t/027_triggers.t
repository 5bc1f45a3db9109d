#!/usr/bin/perl
# Targets with triggers, foreign keys and generated columns, for a user who may
# switch triggers off and for one who may not.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes roles, triggers and foreign keys');

my $t = SluiceTest->new;
my $target = $t->destination_conninfo;

sub target { return SluiceTest::psql($target, $_[0]); }

$t->source_sql(q{
	CREATE TABLE customers (id int PRIMARY KEY, name text, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
	CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE, total int);
	CREATE TABLE watched (id int PRIMARY KEY, v text, toasted text);
	ALTER TABLE watched ALTER toasted SET STORAGE EXTERNAL;
	INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 50) i;
	INSERT INTO orders SELECT i, i % 50 + 1, i FROM generate_series(1, 200) i;
	INSERT INTO watched SELECT i, 'v', repeat('t', 5000) FROM generate_series(1, 20) i;
});
my $definitions = q{
	CREATE TABLE customers (id int PRIMARY KEY, name text, upper_name text GENERATED ALWAYS AS (upper(name)) STORED);
	CREATE TABLE orders (id int PRIMARY KEY, customer int CONSTRAINT orders_customer REFERENCES customers ON DELETE CASCADE DEFERRABLE, total int);
	CREATE TABLE watched (id int PRIMARY KEY, v text, toasted text);
	CREATE TABLE audit (number serial, what text);
	CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
	BEGIN
		INSERT INTO audit (what) VALUES (TG_OP || ' ' || CASE TG_OP WHEN 'INSERT' THEN '' ELSE OLD.id || ' ' END || CASE TG_OP WHEN 'DELETE' THEN '' ELSE NEW.id::text END);
		RETURN NULL;
	END $$;
	CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION note_change();
};
my @changes = (
	# Children before parents, parents away before their children.
	q{BEGIN; ALTER TABLE orders DROP CONSTRAINT orders_customer_fkey; INSERT INTO orders VALUES (1000, 500, 1); INSERT INTO customers VALUES (500, 'late'); COMMIT},
	q{BEGIN; UPDATE customers SET name = 'renamed' WHERE id % 2 = 0; UPDATE orders SET total = 0 WHERE id % 3 = 0; DELETE FROM orders WHERE customer = 7; DELETE FROM customers WHERE id = 7; COMMIT},
	q{BEGIN; INSERT INTO customers VALUES (600, 'moved'); UPDATE orders SET customer = 600 WHERE customer = 8; DELETE FROM customers WHERE id = 8; COMMIT},
	q{BEGIN; UPDATE watched SET v = 'w' WHERE id = 1; UPDATE watched SET id = 102 WHERE id = 2; DELETE FROM watched WHERE id = 3; INSERT INTO watched VALUES (50, 'new'); COMMIT},
	q{BEGIN; INSERT INTO watched VALUES (51, 'in and out'); DELETE FROM watched WHERE id = 51; UPDATE watched SET v = 'x' WHERE id = 4; UPDATE watched SET v = 'y' WHERE id = 4; COMMIT},
	q{UPDATE watched SET v = 'many' WHERE id > 10},
);
my @tables = qw(public.customers public.orders public.watched);

# ---- a superuser: triggers and foreign keys of the target do not act

target($definitions);
$t->configure;
unlike($t->run_ok('check')->{stdout}, qr/^warning.*triggers/m, 'nothing to warn of');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);
$t->start;
$t->source_sql($_) for @changes;
$t->wait_applied_ok;
is($t->stop, 0, 'it stops');
$t->all_equal_ok(@tables);
is(target('SELECT count(*) FROM audit'), 0, 'no trigger fired');
$t->run_ok('drop');

# ---- an ordinary user: they act, so rows are updated where they are

$t->destination->safe_psql('postgres', 'CREATE ROLE loader LOGIN; CREATE DATABASE plain OWNER loader');
$target = $t->destination->connstr('plain') . ' user=loader';
target($definitions);
target('ALTER TABLE orders ALTER CONSTRAINT orders_customer DEFERRABLE INITIALLY DEFERRED');
$t->configure({ destination => { conninfo => $target }, initial_copy => { jobs => 1 }, tables => { include => [ 'public.customers', 'public.watched' ] } });
$t->{destination}{conninfo} = $target;
like($t->run_ok('check')->{stdout}, qr/warning.*public\.watched.*triggers or foreign keys/, 'check says so');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
is(target('SELECT count(*) FROM audit'), $t->source_sql('SELECT count(*) FROM watched'), 'the copy fires triggers');
target('TRUNCATE audit');
# Orders come once their customers are there.
$t->configure({ destination => { conninfo => $target } });
$t->run_ok('run', '--until', 'current');
$t->all_equal_ok(@tables);

$t->start;
$t->source_sql(q{
	BEGIN; INSERT INTO orders VALUES (2000, 700, 1); INSERT INTO customers VALUES (700, 'later'); COMMIT;
	BEGIN; UPDATE customers SET name = 'renamed twice' WHERE id % 4 = 0; DELETE FROM orders WHERE customer = 9; DELETE FROM customers WHERE id = 9; COMMIT;
	BEGIN; UPDATE watched SET v = 'ww' WHERE id = 1; UPDATE watched SET id = 105 WHERE id = 5; DELETE FROM watched WHERE id = 6; INSERT INTO watched VALUES (60, 'new'); COMMIT;
	BEGIN; INSERT INTO watched VALUES (61, 'in and out'); DELETE FROM watched WHERE id = 61; UPDATE watched SET v = 'x' WHERE id = 7; UPDATE watched SET v = 'y' WHERE id = 7; COMMIT;
});
$t->wait_applied_ok;
is($t->stop, 0, 'it stops');
$t->all_equal_ok(@tables);
is(target('SELECT string_agg(DISTINCT what, \', \' ORDER BY what) FROM audit'),
	'DELETE 6 , INSERT 60, UPDATE 1 1, UPDATE 5 105, UPDATE 7 7', 'triggers see what happened at the source');
$t->source_sql('BEGIN; UPDATE watched SET id = -10 WHERE id = 10; UPDATE watched SET id = 10 WHERE id = 11; UPDATE watched SET id = 11 WHERE id = -10; COMMIT');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.watched: .*duplicate key/, 'keys that swap cannot be followed where triggers fire');
$t->run_ok('drop');

# ---- a trigger that keeps rows from being inserted: none is lost without a word

$t->source_sql(q{CREATE TABLE kept (id int PRIMARY KEY, v text); INSERT INTO kept SELECT i, CASE i WHEN 7 THEN 'out' END FROM generate_series(1, 10) i});
target(q{
	CREATE TABLE kept (id int PRIMARY KEY, v text);
	CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN CASE WHEN NEW.v = ''out'' THEN NULL ELSE NEW END; END';
	CREATE TRIGGER keep_out BEFORE INSERT ON kept FOR EACH ROW EXECUTE FUNCTION keep_out();
});
$t->configure({ destination => { conninfo => $target }, tables => { include => ['public.kept'] } });
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying public\.kept: the target took 9 of 10 rows; a trigger/, 'the copy names the table and the cause');
$t->source_sql(q{UPDATE kept SET v = 'in' WHERE id = 7});
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.kept');
$t->source_sql(q{INSERT INTO kept SELECT i, CASE i WHEN 17 THEN 'out' END FROM generate_series(11, 30) i});
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.kept: the target took 19 of 20 rows to insert; a rule or trigger/, 'so does a batch that comes by COPY');
target('DROP TRIGGER keep_out ON kept');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.kept');
$t->run_ok('drop');

done_testing();
