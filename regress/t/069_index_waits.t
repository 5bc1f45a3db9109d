#!/usr/bin/perl
# Indexes that refuse rows with the COMMIT, that forbid an ALTER while somebody reads the target, or whose comment or name the
# destination's encoding lacks, by a loader that is no superuser.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes a role');
$ENV{SLUICE_TEST_UPKEEP} = '100000000,100000000,100,600,300';

my $t = SluiceTest->new(destination => { encoding => 'LATIN1', locale => 'C' });
$t->destination_sql('CREATE ROLE loader LOGIN; CREATE SCHEMA sluice AUTHORIZATION loader; GRANT USAGE, CREATE ON SCHEMA public TO loader');
my $loader = $t->destination_conninfo =~ s/user=postgres/user=loader/r;
sub target { return $t->destination_sql($_[0]); }
sub state_of { my ($table) = @_; return (grep { $_->{source} eq "public.$table" } @{ $t->status->{tables} })[0]{state}; }
# For longer than a DROP INDEX of its own is let to wait.
sub waits_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $t->poll_ok(sub { target(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'loader' AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '3 s'}) > 0 }, $name);
}

$t->source_sql(q{
	CREATE TABLE late (id int PRIMARY KEY, v int CONSTRAINT late_v UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO late VALUES (1, 1);
	CREATE TABLE again (id int PRIMARY KEY, v int CONSTRAINT again_v UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO again VALUES (1, 1);
	CREATE TABLE typed (id int PRIMARY KEY, v int); CREATE INDEX typed_v ON typed ((v + 1)); INSERT INTO typed VALUES (1, 1);
	CREATE TABLE filled (id int PRIMARY KEY, v int); CREATE INDEX filled_v ON filled ((v + 1)); INSERT INTO filled VALUES (1, 1);
	CREATE TABLE other (id int PRIMARY KEY)});
$t->configure({ destination => { conninfo => $loader }, schema => { indexes => 'all' }, apply => { refused => 'hold' } });
$t->run_ok('run', '--until', 'current');
is($t->indexes($_), "${_}_v", "$_ has a constraint that is checked at the COMMIT") for qw(late again);

# ---- refused with the COMMIT

# Away: the constraint of `again` is dropped and made again, and the rows between the two need not be unique.  What is before a changed
# definition is a batch of its own.
$t->source_sql($_) for 'ALTER TABLE again DROP CONSTRAINT again_v', 'INSERT INTO again VALUES (2, 1)', 'ALTER TABLE again ADD n int', 'DELETE FROM again WHERE id = 1',
  'ALTER TABLE again ADD CONSTRAINT again_v UNIQUE (v) DEFERRABLE INITIALLY DEFERRED';
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');
$t->source_sql('BEGIN; ALTER TABLE late DROP CONSTRAINT late_v; INSERT INTO late VALUES (2, 1); INSERT INTO other VALUES (1); COMMIT');
$t->equal_ok("public.$_", wait => 1) for qw(late again other);
is(state_of($_), 'streaming', "$_ is not held for a constraint that need not be there") for qw(late again);
$t->indexes_ok('late', '', 'the dropped one is dropped');
$t->indexes_ok('again', 'again_v', 'the other is built again');
is(target(q{SELECT indisunique FROM pg_index WHERE indexrelid = 'again_v'::regclass}), 'f', 'and refuses nothing any more');

# ---- no index is to blame

target(q{CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE unique_violation USING MESSAGE = 'not at the end', SCHEMA = 'public', TABLE = 'again'; END$$;
	CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON again DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()});
$t->source_sql('INSERT INTO again VALUES (3, 3); INSERT INTO other VALUES (2)');
$t->poll_ok(sub { state_of('again') eq 'held' }, 'a refusal that nobody can do anything about holds the table');
$t->equal_ok('public.other', wait => 1);

# ---- a dropped index forbids that the target is altered

my $reader = SluiceTest::hold($t->destination_conninfo, 'SELECT count(*) FROM typed');
$t->source_sql('BEGIN; DROP INDEX typed_v; ALTER TABLE typed ALTER v TYPE text; INSERT INTO typed VALUES (2, 2); COMMIT');
waits_ok('a reader is waited for at a start, since the rows are copied again');
SluiceTest::release($reader);
$t->equal_ok('public.typed', wait => 1);
$t->poll_ok(sub { state_of('typed') eq 'streaming' }, 'then the index goes, and the target is altered');
# No row is rewritten: the stream goes on.
$reader = SluiceTest::hold($t->destination_conninfo, 'SELECT count(*) FROM filled');
$t->source_sql('BEGIN; DROP INDEX filled_v; ALTER TABLE filled ALTER v TYPE oid; INSERT INTO filled VALUES (2, 2); COMMIT');
waits_ok('a reader is waited for in the stream');
SluiceTest::release($reader);
$t->equal_ok('public.filled', wait => 1);
is(state_of('filled'), 'streaming', 'then that target is altered, too');
is(target(q{SELECT count(*) FROM sluice.indexes WHERE name IN ('typed_v', 'filled_v')}), 0, 'both are forgotten');

# ---- letters that the destination's encoding lacks

my $lacking = "\xe6\x97\xa5";
$t->source_sql(qq{CREATE INDEX other_desc ON other (id DESC); COMMENT ON INDEX other_desc IS '$lacking'; CREATE INDEX "o$lacking" ON other ((id + 1)); COMMENT ON INDEX "o$lacking" IS 'fine'});
$t->poll_ok(sub { $t->log =~ /other: without the index o$lacking: the destination's encoding lacks a letter of it/ }, 'an index is left out');
$t->indexes_ok('other', 'other_desc', 'or does without its comment');
is($t->stop, 0, 'stop');

done_testing();
