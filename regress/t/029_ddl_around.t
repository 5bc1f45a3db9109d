#!/usr/bin/perl
# What changes around the columns of a table: names that tables exchange,
# schemas, types, and whether the table is logged at all.  While the program
# runs, and while it is down.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => "logical_decoding_work_mem = '64kB'" });

# Name, what is made before, what changes, the tables that are compared.
my @scenes = (
	[ 'two tables swap their names', 'CREATE TABLE one (id int PRIMARY KEY, a text); INSERT INTO one SELECT i, i FROM generate_series(1, 20) i;
			CREATE TABLE two (id int PRIMARY KEY, b int); INSERT INTO two SELECT i, -i FROM generate_series(1, 20) i',
		q{BEGIN; UPDATE one SET a = 'one'; ALTER TABLE one RENAME TO aside; ALTER TABLE two RENAME TO one; ALTER TABLE aside RENAME TO two;
			UPDATE one SET b = 7 WHERE id < 5; UPDATE two SET a = 'two' WHERE id > 15; COMMIT; DELETE FROM one WHERE id = 9},
		'public.one', 'public.two' ],
	[ 'a table takes the place of another', 'CREATE TABLE latest (id int PRIMARY KEY, a text); INSERT INTO latest VALUES (1); CREATE TABLE fresh (id int PRIMARY KEY, a text); INSERT INTO fresh VALUES (2)',
		q{BEGIN; ALTER TABLE latest RENAME TO former; ALTER TABLE fresh RENAME TO latest; COMMIT; INSERT INTO latest VALUES (3)},
		'public.latest', 'public.former' ],
	[ 'a table takes the place of one that is dropped', 'CREATE TABLE dropped (id int PRIMARY KEY, a text); INSERT INTO dropped VALUES (1); CREATE TABLE heir (id int PRIMARY KEY, b int); INSERT INTO heir VALUES (2)',
		q{UPDATE dropped SET a = 'x'; BEGIN; DROP TABLE dropped; ALTER TABLE heir RENAME TO dropped; INSERT INTO dropped VALUES (3); COMMIT}, 'public.dropped' ],
	[ 'the same in the other order', 'CREATE TABLE older (id int PRIMARY KEY, a text); INSERT INTO older VALUES (1); CREATE TABLE younger (id int PRIMARY KEY, b int); INSERT INTO younger VALUES (2)',
		q{UPDATE younger SET b = 2; BEGIN; DROP TABLE younger; ALTER TABLE older RENAME TO younger; COMMIT}, 'public.younger' ],
	[ 'a schema gets another name', 'CREATE SCHEMA old; CREATE TABLE old.touched (id int PRIMARY KEY, a text); INSERT INTO old.touched VALUES (1); CREATE TABLE old.untouched (id int PRIMARY KEY, a text); INSERT INTO old.untouched VALUES (1)',
		q{UPDATE old.touched SET a = 'x'; ALTER SCHEMA old RENAME TO new; INSERT INTO new.touched VALUES (2, 'y')},
		'new.touched', 'new.untouched' ],
	[ 'names change in a large transaction', 'CREATE TABLE large (id int PRIMARY KEY, a text); INSERT INTO large VALUES (1); CREATE TABLE small (id int PRIMARY KEY, a text); INSERT INTO small VALUES (1)',
		q{BEGIN; INSERT INTO large SELECT i, repeat('x', 50) FROM generate_series(2, 3000) i; ALTER TABLE small RENAME TO smaller; ALTER TABLE large RENAME TO larger; INSERT INTO larger SELECT -i, repeat('x', 50) FROM generate_series(2, 3000) i; COMMIT},
		'public.larger', 'public.smaller' ],
	[ 'an enum gets labels', q{CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE moody (id int PRIMARY KEY, m mood, ms mood[]); INSERT INTO moody VALUES (1, 'sad', '{ok}')},
		q{ALTER TYPE mood ADD VALUE 'meh' BEFORE 'ok'; INSERT INTO moody VALUES (2, 'meh', '{meh,ok}'); ALTER TYPE mood ADD VALUE 'it''s' BEFORE 'sad'; UPDATE moody SET m = 'it''s' WHERE id = 1},
		'public.moody' ],
	[ 'a label gets another name', q{CREATE TYPE color AS ENUM ('red', 'green'); CREATE TABLE colored (id int PRIMARY KEY, c color); INSERT INTO colored VALUES (1, 'red'), (2, 'green')},
		q{INSERT INTO colored VALUES (3, 'red'); ALTER TYPE color RENAME VALUE 'red' TO 'crimson'; INSERT INTO colored VALUES (4, 'crimson')},
		'public.colored' ],
	[ 'a composite type gets an attribute', q{CREATE TYPE address AS (street text, town text); CREATE TABLE housed (id int PRIMARY KEY, a address); INSERT INTO housed VALUES (1, '(x,y)')},
		q{INSERT INTO housed VALUES (2, '(v,w)'); BEGIN; INSERT INTO housed VALUES (3, '(t,u)'); ALTER TYPE address ADD ATTRIBUTE "post code" int; COMMIT; INSERT INTO housed VALUES (4, '(r,s,7)')},
		'public.housed' ],
	[ 'types with other names get labels and attributes', q{CREATE SCHEMA kinds; CREATE TYPE kinds.kind AS ENUM ('a', 'b'); CREATE TYPE kinds.pair AS (x int, y text);
			CREATE TABLE kinded (id int PRIMARY KEY, k kinds.kind, ks kinds.kind[], p kinds.pair); INSERT INTO kinded VALUES (1, 'a', '{b}', '(1,y)')},
		q{ALTER TYPE kinds.kind RENAME TO sort; ALTER SCHEMA kinds RENAME TO sorts; ALTER TYPE sorts.sort ADD VALUE 'c' BEFORE 'b'; INSERT INTO kinded VALUES (2, 'c', '{b,c}', '(2,y)');
			ALTER TYPE sorts.pair RENAME TO couple; ALTER TYPE sorts.couple ADD ATTRIBUTE z int; INSERT INTO kinded VALUES (3, 'b', '{a}', '(3,y,3)')},
		'public.kinded' ],
	[ 'a table is not logged for a while', 'CREATE TABLE dark (id int PRIMARY KEY, a text); INSERT INTO dark SELECT i FROM generate_series(1, 20) i',
		q{ALTER TABLE dark SET UNLOGGED; UPDATE dark SET a = 'unseen' WHERE id < 5; ALTER TABLE dark SET LOGGED; UPDATE dark SET a = 'seen' WHERE id > 15},
		'public.dark' ],
	[ 'a table is not logged within a transaction', 'CREATE TABLE dim (id int PRIMARY KEY, a text); INSERT INTO dim SELECT i FROM generate_series(1, 20) i',
		q{BEGIN; ALTER TABLE dim SET UNLOGGED; UPDATE dim SET a = 'unseen' WHERE id < 5; ALTER TABLE dim SET LOGGED; COMMIT},
		'public.dim' ],
	[ 'a rewrite in a large transaction', 'CREATE TABLE bulk (id int PRIMARY KEY, a text); CREATE TABLE doubled (id int PRIMARY KEY, n int); INSERT INTO doubled VALUES (1, 1)',
		q{BEGIN; INSERT INTO bulk SELECT i, repeat('x', 50) FROM generate_series(1, 3000) i; ALTER TABLE doubled ALTER n TYPE int USING n * 2; COMMIT},
		'public.bulk', 'public.doubled' ],
	# Copied again at the start, and the one behind it when the stream comes to it.
	[ 'a partition goes', 'CREATE TABLE parted (id int PRIMARY KEY, a text) PARTITION BY RANGE (id); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
			CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20); INSERT INTO parted SELECT i FROM generate_series(1, 19) i',
		q{ALTER TABLE parted DETACH PARTITION parted_2; DROP TABLE parted_2},
		'public.parted' ],
	[ 'a generated column comes', 'CREATE TABLE grown (id int PRIMARY KEY, n int); INSERT INTO grown SELECT i, i FROM generate_series(1, 20) i',
		q{ALTER TABLE grown ADD COLUMN g int GENERATED ALWAYS AS (n * 2) STORED; UPDATE grown SET n = 0 WHERE id = 1},
		'public.grown' ],
);

sub all_follow_ok
{
	my ($name) = @_;
	$t->poll_ok(sub { !grep { $_->{state} ne 'streaming' } @{ $t->status->{tables} } }, "$name: all tables follow")
	  or BAIL_OUT("$name: a table does not follow");
	$t->wait_applied_ok("$name: all is applied");
}

my @tables = map { my (undef, undef, undef, @names) = @$_; @names } @scenes;
$t->configure({ tables => { include => [ 'public.*', 'old.*', 'new.*' ] } });
for my $round ('while it runs', 'while it is down')
{
	$t->source_sql(join ";\n", map { $_->[1] } @scenes);
	$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
	$t->start;
	$t->wait_applied_ok("$round: the program runs");
	$t->stop if $round eq 'while it is down';
	for my $scene (@scenes)
	{
		$t->source_sql($scene->[2]);
		next if $round eq 'while it is down';
		$t->wait_applied_ok("$round: $scene->[0]") or BAIL_OUT($scene->[0]);
	}
	$t->start if $round eq 'while it is down';
	all_follow_ok($round);
	$t->all_equal_ok(@tables);
	is($t->destination_sql(q{SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = 'mood'::regtype}),
		q{it's sad meh ok}, "$round: labels stand in their order");
	last if $round eq 'while it is down';

	# Who drops a table may drop its target, too, before the name goes to another one.
	$t->source_sql(q{CREATE TABLE leaving (id int PRIMARY KEY); CREATE TABLE coming (id int PRIMARY KEY, a text); INSERT INTO coming VALUES (1)});
	$t->poll_ok(sub { 2 == grep { $_->{source} =~ /^public\.(leaving|coming)$/ && $_->{state} eq 'streaming' } @{ $t->status->{tables} } }, 'two tables come');
	$t->destination_sql('DROP TABLE leaving');
	$t->source_sql(q{BEGIN; DROP TABLE leaving; ALTER TABLE coming RENAME TO leaving; INSERT INTO leaving VALUES (2); COMMIT});
	$t->wait_applied_ok('one takes the place of another');
	$t->equal_ok('public.leaving', wait => 1);
	unlike($t->log, qr/public\.coming is held/, 'a target that is gone is in nobody\'s way');

	# Left UNLOGGED, the table is held, and the others go on.
	$t->source_sql(q{ALTER TABLE dim SET UNLOGGED; UPDATE dim SET a = 'unseen'; INSERT INTO moody VALUES (50, 'ok')});
	$t->poll_ok(sub { grep { $_->{source} eq 'public.dim' && $_->{state} eq 'held' && $_->{error} =~ /UNLOGGED/ } @{ $t->status->{tables} } },
		'what is not logged is held');
	$t->wait_applied_ok('the others go on');
	$t->equal_ok('public.moody');
	is($t->stop, 0, 'it stops');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.dim is held: it is UNLOGGED/, 'a run that is to end says what it lacks');
	$t->start;
	$t->source_sql('ALTER TABLE dim SET LOGGED');
	all_follow_ok('logged again');
	$t->equal_ok('public.dim');
	is($t->stop, 0, 'the program ends');

	$t->run_ok('drop');
	my $again = 'DROP SCHEMA public CASCADE; DROP SCHEMA new CASCADE; CREATE SCHEMA public; DROP SCHEMA IF EXISTS kinds CASCADE; DROP SCHEMA IF EXISTS sorts CASCADE';
	$t->source_sql($again);
	$t->destination_sql($again);
}
is($t->stop, 0, 'the program ends when it is told to');

done_testing();
