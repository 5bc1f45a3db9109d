#!/usr/bin/perl
# Several tables merged into one, and targets to whose rows a copy adds.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my @operations = (operations => [qw(insert update delete)]);

$t->source_sql(q{
	CREATE SCHEMA one; CREATE SCHEMA two; CREATE SCHEMA three;
	CREATE TABLE one.orders (id int PRIMARY KEY, v text, w text);
	CREATE TABLE two.orders (w text, nr int PRIMARY KEY, v text, region text);
	CREATE TABLE three.orders (id int PRIMARY KEY, v text, w text);
	INSERT INTO one.orders SELECT i, 'one', 'w' FROM generate_series(1, 100) i;
	INSERT INTO two.orders SELECT 'w', i, 'two', 'EU' FROM generate_series(101, 200) i;
	INSERT INTO three.orders SELECT i, 'three', 'w' FROM generate_series(201, 300) i;
});
$t->destination_sql(q{
	CREATE SCHEMA dw;
	CREATE TABLE dw.orders (id int PRIMARY KEY, v text, w text);
	INSERT INTO dw.orders SELECT -i, 'mine', 'w' FROM generate_series(1, 10) i;
});
my $two = { source => 'two.orders', target => 'dw.orders', columns => [qw(nr v w)], rename => [ { from => 'nr', to => 'id' } ], @operations };
my @overrides = (
	{ source => 'one.orders', target => 'dw.orders', @operations }, $two, { source => 'three.orders', target => 'dw.orders', @operations },
);
my $config = {
	tables => { include => [qw(one.orders two.orders three.orders)], overrides => \@overrides }, initial_copy => { existing => 'append' },
};

sub configure { $t->configure({ %$config, @_ }); }

sub merged_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $all = sub { "SELECT string_agg(concat_ws(' ', id, v, w), ',' ORDER BY id) FROM ($_[0]) r" };
	is($t->destination_sql($all->('SELECT id, v, w FROM dw.orders WHERE id > 0')),
		$t->source_sql($all->('SELECT id, v, w FROM one.orders UNION ALL SELECT nr, v, w FROM two.orders UNION ALL SELECT id, v, w FROM three.orders')), $name);
	is($t->destination_sql(q{SELECT count(*) FROM dw.orders WHERE id < 0 AND v = 'mine'}), 10, "$name: nobody's rows are untouched");
}

# ---- what check wants

sub check_says
{
	my ($pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $result = $t->sluice('check');
	is($result->{status}, 3, "$name: refused");
	like($result->{stdout}, $pattern, "$name: says what");
}

configure(initial_copy => { existing => 'error' });
check_says(qr/failed +target +dw\.orders: it has several sources, one\.orders, three\.orders and two\.orders: .* initial_copy\.existing to append/, 'error');
configure(initial_copy => { existing => 'clear' });
check_says(qr/it has several sources/, 'clear');
configure(tables => { %{ $config->{tables} }, overrides => [ { source => 'one.orders', target => 'dw.orders' }, @overrides[ 1, 2 ] ] });
check_says(qr/failed +target +one\.orders: its target has several sources, .*: a TRUNCATE would take the others' rows; leave truncate out/, 'truncate');
configure(tables => { %{ $config->{tables} }, overrides => [ $overrides[0], { %$two, key => ['v'] }, $overrides[2] ] });
check_says(qr/failed +key +two\.orders: its target has several sources, which must have one key: here it is \(v\), of one\.orders it is \(id\)/, 'another key');
$t->destination_sql('CREATE TABLE dw.plain (id int, v text, w text)');
configure(tables => { %{ $config->{tables} }, overrides => [ map { { %$_, target => 'dw.plain' } } @overrides ] });
like($t->run_ok('check')->{stdout}, qr/warning +key +dw\.plain: it has several sources, .* and no unique index over their key/, 'no index that notices collisions');
configure(tables => { %{ $config->{tables} }, overrides => [ map { { %$_, target => 'dw.fresh' } } $overrides[0], { %$two, columns => [qw(nr v w region)] }, $overrides[2] ] });
check_says(qr/failed +target +dw\.fresh: the column "region" of two\.orders is missing in one\.orders, for which it is to be made/, 'a target that is to be made for tables that differ');

# ---- copy and stream

configure();
like($t->run_ok('check')->{stdout}, qr/ok +contents +dw\.orders: it holds rows, to which the copy adds/, 'check: rows that are there stay');
$t->run_ok('run', '--until', 'current');
merged_ok('the initial copy');

$t->start;
$t->source_sql(q{
	UPDATE one.orders SET v = 'ONE' WHERE id % 2 = 0; UPDATE two.orders SET v = 'TWO', region = 'US' WHERE nr % 3 = 0; DELETE FROM three.orders WHERE id > 250;
	BEGIN; INSERT INTO one.orders VALUES (1001, 'new'); INSERT INTO two.orders VALUES (NULL, 1002, 'new'); UPDATE one.orders SET v = 'newer' WHERE id = 1001; DELETE FROM two.orders WHERE nr < 105; UPDATE three.orders SET id = id + 2000 WHERE id < 210; COMMIT;
});
$t->wait_applied_ok('changes');
merged_ok('changes of all');
# A key passes from one table to another, and back, in one batch.
$t->source_sql(q{
	BEGIN;
	INSERT INTO two.orders VALUES ('w', 1100, 'first touched');
	DELETE FROM one.orders WHERE id = 50; INSERT INTO two.orders VALUES ('w', 50, 'moved');
	DELETE FROM two.orders WHERE nr = 150; INSERT INTO three.orders VALUES (150, 'moved', 'w');
	DELETE FROM two.orders WHERE nr = 50; INSERT INTO one.orders VALUES (50, 'moved back', 'w');
	COMMIT;
	DO $$ BEGIN FOR i IN 1 .. 20 LOOP
		DELETE FROM one.orders WHERE id = i; INSERT INTO three.orders VALUES (i, 'taken', 'w'); COMMIT;
	END LOOP; END $$;
	-- and both ways at once
	BEGIN; UPDATE one.orders SET id = 160 WHERE id = 60; UPDATE two.orders SET nr = 60 WHERE nr = 160; COMMIT;
	BEGIN; INSERT INTO three.orders VALUES (161, 'swapped', 'w'); DELETE FROM two.orders WHERE nr = 161; UPDATE one.orders SET id = 3161 WHERE id = 61; INSERT INTO two.orders VALUES ('w', 61, 'swapped'); COMMIT;
});
$t->wait_applied_ok('keys that pass on');
merged_ok('keys that pass on');
$t->run_ok('compare');
is($t->stop, 0, 'it stops');

# Found among very many rows of others.
$t->destination_sql(q{INSERT INTO dw.orders SELECT -i, 'mine', 'w' FROM generate_series(11, 320000) i; DELETE FROM dw.orders WHERE id IN (70, 260 - 10); UPDATE dw.orders SET w = 'x' WHERE id = 170});
my $compared = $t->sluice('compare');
is($compared->{status}, 4, 'compare finds what differs');
is(join(',', $compared->{stdout} =~ /^  (\w+ +\w+='\d+')/mg), "missing  id='70',missing  id='250',changed  nr='170'", 'just that');
$t->destination_sql(q{DELETE FROM dw.orders WHERE id < -10; INSERT INTO dw.orders VALUES (70, 'one', 'w'), (250, 'three', 'w')});
$t->source_sql(q{UPDATE one.orders SET v = 'ONE' WHERE id = 70; UPDATE two.orders SET v = v WHERE nr = 170; UPDATE three.orders SET v = v WHERE id = 250});
$t->run_ok('run', '--until', 'current');
merged_ok('fixed');
like($t->run_ok('status')->{stdout}, qr/^two\.orders +dw\.orders +streaming +100 *$/m, 'status tells them apart');

# ---- keys that collide

my $before = $t->destination_sql('SELECT applied_lsn FROM sluice.progress');
$t->source_sql(q{INSERT INTO two.orders VALUES ('w', 30, 'collides')});
$t->fails_like([ 'run', '--until', 'current' ], 1,
	qr/merging into dw\.orders: .*; one\.orders, three\.orders and two\.orders share the target, and their keys must not collide; what was logged stays so: .*"sluice table remove"/, 'a collision');
is($t->destination_sql('SELECT v FROM dw.orders WHERE id = 30'), 'ONE', 'the first row stays');
$t->source_sql('DELETE FROM one.orders WHERE id = 30');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/share the target/, 'history does not change');
$t->run_ok('table', 'remove', 'two.orders');
$t->run_ok('run', '--until', 'current');
is($t->destination_sql('SELECT count(*) FROM dw.orders WHERE id = 30'), 0, 'without one of them the others go on');
$t->run_ok('drop');

# Already in the copy.
$t->source_sql(q{TRUNCATE one.orders, two.orders, three.orders; INSERT INTO one.orders VALUES (1, 'a'); INSERT INTO two.orders VALUES (NULL, 1, 'b')});
$t->destination_sql('DELETE FROM dw.orders WHERE id > 0');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/copying (one|two)\.orders: .*; one\.orders, three\.orders and two\.orders share the target, .*: change the row in \1\.orders/, 'a collision in the copy');
$t->source_sql(q{UPDATE two.orders SET nr = 2});
$t->run_ok('drop');
$t->destination_sql('DELETE FROM dw.orders WHERE id > 0');

# ---- a target that is made

$t->source_sql(q{ALTER TABLE two.orders DROP COLUMN region; ALTER TABLE two.orders RENAME nr TO id});
configure(tables => { include => $config->{tables}{include}, overrides => [ map { { source => $_, target => 'made.orders', @operations } } @{ $config->{tables}{include} } ] });
my @creates = $t->run_ok('schema')->{stdout} =~ /(CREATE TABLE "made"\."orders")/g;
is(scalar @creates, 1, 'schema makes it once');
$t->run_ok('run', '--until', 'current');
$t->source_sql(q{INSERT INTO three.orders VALUES (3, 'c', 'w'); UPDATE one.orders SET w = 'x'});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql(q{SELECT string_agg(concat_ws(' ', id, v, w), ',' ORDER BY id) FROM made.orders}), '1 a x,2 b,3 c w', 'one target, three sources');
$t->run_ok('drop');

# ---- one table, whose target holds rows

$t->source_sql(q{CREATE TABLE plain (a int, b text); INSERT INTO plain VALUES (1, 'source'); ALTER TABLE plain REPLICA IDENTITY FULL});
$t->destination_sql(q{CREATE TABLE plain (a int, b text); INSERT INTO plain VALUES (1, 'mine')});
$t->configure({ tables => { include => ['public.plain'] }, initial_copy => { existing => 'append' } });
$t->run_ok('run', '--until', 'current');
$t->source_sql(q{UPDATE plain SET b = 'changed'});
$t->run_ok('run', '--until', 'current');
is($t->destination_sql(q{SELECT string_agg(b, ',' ORDER BY b) FROM plain}), 'changed,mine', 'its rows stay beside');
$t->run_ok('drop');

done_testing();
