#!/usr/bin/perl
# A table is its OID: what is dropped and created again under one name is another table, copied again over the rows of
# the one before, however long that takes; what is renamed stays the same table, whatever gets its name.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;

sub columns
{
	my ($table) = @_;
	return $t->destination_sql("SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname)
		FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped");
}

sub rows_of
{
	my ($name) = @_;
	return $t->destination_sql("SELECT count(*) FROM sluice.tables WHERE source_name = '$name' AND state <> 'dropped'");
}

# Each table has one row, and each target one table.
sub state_is_sound
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($t->destination_sql("SELECT count(*) || ' ' || count(DISTINCT source_oid) = count(*) || ' ' || count(DISTINCT (target_schema, target_name))
		FROM sluice.tables WHERE state <> 'dropped'"), 't', "$name: one row a table, one table a target");
}

# Each by itself, with the daemon down: what is changed, then the tables that must be equal.
my @cases = (
	{
		name => 'created again with another order of the columns',
		sql => q{DROP TABLE a; CREATE TABLE a (v text, code int, id int PRIMARY KEY, extra int DEFAULT 7);
			INSERT INTO a SELECT 'again ' || i, 1, i FROM generate_series(100, 120) i},
		columns => 'code integer, extra integer, id integer, v text',
		again => 1,
	},
	{
		name => 'created again with another type under an old name',
		sql => q{DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, code text, v int);
			INSERT INTO a SELECT i, 'text', i FROM generate_series(1, 20) i},
		columns => 'code text, id integer, v integer',
		again => 1,
	},
	{
		name => 'renamed, and another one under its name',
		sql => q{ALTER TABLE a RENAME TO a2; INSERT INTO a2 (id) VALUES (1001);
			CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (5, 'another')},
		tables => [ 'public.a2' ],
	},
	{
		name => 'renamed and rewritten, and another one under its name',
		sql => q{ALTER TABLE a RENAME TO a2; ALTER TABLE a2 ALTER code TYPE text USING code || ' rewritten';
			CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (5, 'another')},
		tables => [ 'public.a2' ],
	},
	{
		name => 'two that exchange their names',
		sql => q{BEGIN; ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; COMMIT;
			INSERT INTO a (id) VALUES (1001)},
	},
	{
		name => 'two rewritten ones that exchange their names',
		sql => q{BEGIN; ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; COMMIT;
			ALTER TABLE a ALTER code TYPE text USING code || ' rewritten';
			ALTER TABLE b ALTER code TYPE text USING code || ' rewritten'},
	},
	{
		name => 'rewritten, with the name of one that was dropped',
		sql => q{DROP TABLE a; ALTER TABLE b RENAME TO a; ALTER TABLE a ALTER code TYPE text USING code || ' rewritten'},
		left => [ 'public.a' ],
		again => 1,
	},
	{
		name => 'two that exchange their names, one rewritten',
		sql => q{BEGIN; ALTER TABLE a RENAME TO tmp; ALTER TABLE b RENAME TO a; ALTER TABLE tmp RENAME TO b; COMMIT;
			ALTER TABLE a ALTER code TYPE text USING code || ' rewritten'; INSERT INTO b (id) VALUES (1001)},
	},
);

sub start_over
{
	my ($existing) = @_;
	$t->run_ok('drop') if $t->{config};
	for my $sql (map { "DROP TABLE IF EXISTS $_ CASCADE" } qw(a a2 b tmp))
	{
		$t->both_sql($sql);
	}
	$t->source_sql(q{
		CREATE TABLE a (id int PRIMARY KEY, code int UNIQUE, v text);
		CREATE TABLE b (id int PRIMARY KEY, code int, v text);
		INSERT INTO a SELECT i, i, 'a ' || i FROM generate_series(1, 10) i;
		INSERT INTO b SELECT i, i, 'b ' || i FROM generate_series(1, 20) i;
	});
	$t->configure({ initial_copy => { existing => $existing } });
	$t->run_ok('run', '--until', 'current');
}

for my $case (@cases)
{
	subtest $case->{name} => sub {
		start_over($case->{existing} // 'error');
		$t->source_sql($case->{sql});
		my $run = $t->run_ok('run', '--until', 'current');
		$t->all_equal_ok(@{ $case->{left} // [ 'public.a', 'public.b' ] }, @{ $case->{tables} // [] });
		is(columns('a'), $case->{columns}, 'the target has its columns') if $case->{columns};
		like($run->{stderr}, qr/copied public\.a:/, 'it is copied again') if $case->{again};
		state_is_sound('in the end');
	};
}

subtest 'created again when the drop is long past' => sub {
	start_over('error');
	$t->source_sql('DROP TABLE a');
	$t->run_ok('run', '--until', 'current');
	is(rows_of('a'), 0, 'it is no table of the task');
	is(scalar(grep { $_->{source} eq 'public.a' } @{ $t->status->{tables} }), 0, 'status does not list it');
	is($t->destination_sql('SELECT count(*) FROM a'), 10, 'its target stays');
	$t->source_sql(q{CREATE TABLE a (id int PRIMARY KEY, v text); INSERT INTO a VALUES (3, 'again')});
	$t->run_ok('check');
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok('public.a', 'public.b');
	state_is_sound('in the end');
};

subtest 'one that waits gets the name of one that was dropped' => sub {
	start_over('error');
	$t->source_sql(q{CREATE TABLE a2 (v text, id int); INSERT INTO a2 VALUES ('waited', 5)});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a2 waits: identity/, 'without identity');
	$t->source_sql('DROP TABLE a');
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a2 waits: identity/, 'the other is dropped');
	$t->source_sql('ALTER TABLE a2 RENAME TO a; ALTER TABLE a ADD PRIMARY KEY (id)');
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok('public.a', 'public.b');
	state_is_sound('in the end');
};

subtest 'the same while the daemon runs' => sub {
	start_over('error');
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
	$t->source_sql('DROP TABLE a');
	$t->configure({ apply => { memory => '128MB' } });
	$t->run_ok('reload'); # of a key that another attempt takes into force, which reads the catalogs
	$t->poll_ok(sub { rows_of('a') == 0 }, 'the drop is noticed', 20);
	my $new = $t->source_sql(q{CREATE TABLE a (v text, id int PRIMARY KEY); INSERT INTO a VALUES ('again', 3);
		SELECT 'a'::regclass::oid});
	$t->poll_ok(sub { $t->destination_sql(qq{SELECT count(*) FROM sluice.tables WHERE source_oid = $new AND state = 'streaming'}) == 1 },
		'the new one streams', 30);
	$t->source_sql(q{INSERT INTO a VALUES ('more', 4)});
	$t->wait_applied_ok;
	$t->all_equal_ok('public.a', 'public.b');

	$t->source_sql(q{DROP TABLE b; CREATE TABLE b (code text, id int PRIMARY KEY); INSERT INTO b VALUES ('x', 77)});
	$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM b}) eq '1' }, 'at once: it is copied again', 30);
	$t->wait_applied_ok;
	$t->all_equal_ok('public.a', 'public.b');
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

subtest 'one gets the name of one that was dropped before' => sub {
	start_over('error');
	my $dropped = $t->source_sql(q{SELECT 'a'::regclass::oid});
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
	$t->source_sql('DROP TABLE a');
	$t->configure({ apply => { memory => '128MB' } });
	$t->run_ok('reload'); # the drop is noticed when the catalogs are read
	$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM sluice.tables WHERE state = 'dropped'}) == 1 }, 'the drop is noticed');
	$t->source_sql('ALTER TABLE b RENAME TO a; INSERT INTO a VALUES (1001, 1, \'more\')');
	$t->wait_applied_ok;
	$t->equal_ok('public.a');
	unlike($t->log, qr/is held|copied again|copied public/, 'nothing is held or copied for that');
	is($t->destination_sql("SELECT count(*) FROM sluice_dropped_$dropped"), 10, 'the target of the dropped one has another name');
	state_is_sound('in the end');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	$t->destination_sql("DROP TABLE sluice_dropped_$dropped");
};

subtest 'what the user dropped from the selection is not ours any more' => sub {
	start_over('error');
	$t->configure({ tables => { exclude => ['public.a'] } });
	$t->run_ok('run', '--until', 'current');
	$t->configure;
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.a/, 'selected again, its target is not empty');
	$t->run_ok('drop');
};

done_testing();
