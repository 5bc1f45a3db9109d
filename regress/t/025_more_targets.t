#!/usr/bin/perl
# Targets that others have made to their own ends: partitioned in another way than the source, with a key of their own,
# with triggers that fire in replication, and with row-level security.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes roles, triggers and policies');

my $t = SluiceTest->new;
sub target { return $t->destination_sql($_[0]); }

$t->source_sql(q{
	CREATE TABLE plain (id int, region text, at date NOT NULL, v text, PRIMARY KEY (id, region));
	CREATE TABLE parted (id int, region text, at date, v text, PRIMARY KEY (id, region, at)) PARTITION BY RANGE (at);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
	CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2024-07-01') TO ('2025-01-01');
	CREATE TABLE events (at int, what text);
	CREATE TABLE numbered (id int PRIMARY KEY, v text);
	CREATE TABLE watched (id int PRIMARY KEY, v text);
	INSERT INTO plain SELECT i, CASE i % 3 WHEN 0 THEN 'eu' WHEN 1 THEN 'us' ELSE 'x' END, date '2024-01-01' + i % 360, 'v' FROM generate_series(1, 300) i;
	INSERT INTO parted SELECT * FROM plain;
	INSERT INTO events SELECT i, 'e' FROM generate_series(1, 10) i;
	INSERT INTO numbered SELECT i, 'v' FROM generate_series(1, 20) i;
	INSERT INTO watched SELECT i, 'v' FROM generate_series(1, 20) i;
});
my $layout = sub {
	my ($name, $key) = @_;
	return "CREATE TABLE $name (v text, id int, at date NOT NULL, region text, PRIMARY KEY ($key)) PARTITION BY LIST (region);
		CREATE TABLE ${name}_eu PARTITION OF $name FOR VALUES IN ('eu') PARTITION BY HASH (id);
		CREATE TABLE ${name}_eu_0 PARTITION OF ${name}_eu FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE ${name}_eu_1 (id int NOT NULL, v text, region text NOT NULL, gone int, at date NOT NULL); ALTER TABLE ${name}_eu_1 DROP COLUMN gone;
		ALTER TABLE ${name}_eu ATTACH PARTITION ${name}_eu_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		CREATE TABLE ${name}_us PARTITION OF $name FOR VALUES IN ('us'); CREATE TABLE ${name}_rest PARTITION OF $name DEFAULT;";
};
target($layout->('plain', 'id, region') . $layout->('parted', 'at, region, id') . q{
	CREATE TABLE events (number serial PRIMARY KEY, at int, what text);
	CREATE TABLE numbered (number serial PRIMARY KEY, id int UNIQUE, v text);
	CREATE TABLE watched (id int PRIMARY KEY, v text); CREATE TABLE audit (what text);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.audit SELECT concat_ws(' ', TG_OP, TG_TABLE_NAME, new.id); RETURN NULL; END$$;
	CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON watched FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE watched ENABLE REPLICA TRIGGER note;
	CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON plain_eu_1 FOR EACH ROW EXECUTE FUNCTION note(); ALTER TABLE plain_eu_1 ENABLE REPLICA TRIGGER note;
});
my %columns = (events => [qw(at what)], numbered => [qw(id v)]);
sub same_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->wait_applied_ok($name);
	$t->equal_ok("public.$_", columns => $columns{$_}) for qw(plain parted events numbered watched);
}

$t->configure({ tables => { overrides => [ { source => 'public.events', operations => ['insert'] } ] } });
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the tables are copied');
same_ok('the copy');
target('TRUNCATE audit');
my $numbers = target('SELECT string_agg(number::text, \',\' ORDER BY id) FROM numbered WHERE id > 2');

$t->source_sql(q{
	UPDATE plain SET v = 'w' WHERE id % 2 = 0; DELETE FROM plain WHERE id BETWEEN 100 AND 120; UPDATE plain SET region = 'us' WHERE id BETWEEN 10 AND 30;
	UPDATE plain SET region = 'eu', id = id + 1000 WHERE id BETWEEN 200 AND 220; BEGIN; UPDATE plain SET region = 'x' WHERE id = 3; UPDATE plain SET region = 'eu' WHERE id = 3; COMMIT;
	UPDATE parted SET at = at + 180 WHERE id % 5 = 0 AND at < '2024-07-01'; UPDATE parted SET region = 'eu' WHERE region = 'x'; DELETE FROM parted WHERE id > 280; INSERT INTO parted VALUES (1, 'nowhere', '2024-08-08', 'new');
	INSERT INTO events VALUES (11, 'f'), (11, 'f'); UPDATE numbered SET v = 'w' WHERE id > 5; UPDATE numbered SET id = -id WHERE id = 1; DELETE FROM numbered WHERE id = 2; INSERT INTO numbered VALUES (50, 'new');
	UPDATE watched SET v = 'w' WHERE id = 3; DELETE FROM watched WHERE id = 4; INSERT INTO watched VALUES (60, 'new'); UPDATE watched SET id = 70 WHERE id = 7;
});
same_ok('changes');
is(target('SELECT string_agg(number::text, \',\' ORDER BY id) FROM numbered WHERE id BETWEEN 3 AND 20'), $numbers, 'the target\'s own key stays with its row');
is(target('SELECT count(*), count(DISTINCT number) FROM events'), '12|12', 'and new rows get one each');
cmp_ok(target("SELECT count(*) FROM audit WHERE what ~ '^(INSERT|UPDATE|DELETE) watched'"), '>=', 4, 'a trigger that fires in replication sees what is applied');
cmp_ok(target("SELECT count(*) FROM audit WHERE what LIKE '% plain_eu_1%'"), '>', 0, 'one of a partition, too');

# The target is laid out anew while the task runs.
target(q{BEGIN; ALTER TABLE plain DETACH PARTITION plain_us; CREATE TABLE plain_us_2 (at date NOT NULL, region text NOT NULL, v text, id int NOT NULL);
	INSERT INTO plain_us_2 (at, region, v, id) SELECT at, region, v, id FROM plain_us; DROP TABLE plain_us; ALTER TABLE plain ATTACH PARTITION plain_us_2 FOR VALUES IN ('us'); COMMIT});
$t->source_sql(q{UPDATE plain SET v = 'x' WHERE region = 'us'; UPDATE plain SET region = 'us' WHERE id = 6; DELETE FROM plain WHERE id = 12});
same_ok('another layout');

# A trigger that keeps rows out: none is lost without a word.
target(q{
	CREATE FUNCTION keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER keep_out BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION keep_out(); ALTER TABLE watched ENABLE REPLICA TRIGGER keep_out});
is($t->stop, 0, 'it stops');
$t->source_sql(q{INSERT INTO watched VALUES (80, 'kept out')});
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.watched: .*(row to insert was not taken by the target|the target took 0 of 1 rows?).*trigger/, 'a trigger that keeps a row out is named');
target('DROP TRIGGER keep_out ON watched');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.watched');
$t->run_ok('drop');

# ---- a copy into rows that are in its way: it goes on once they are gone, and drop leaves nothing

$t->source_sql(q{CREATE SCHEMA stuck; CREATE TABLE stuck.filled (id int PRIMARY KEY, v text); INSERT INTO stuck.filled SELECT i, 'v' FROM generate_series(1, 20) i});
target(q{CREATE SCHEMA stuck; CREATE TABLE stuck.filled (id int PRIMARY KEY, v text); INSERT INTO stuck.filled VALUES (7, 'mine'), (100, 'mine')});
$t->configure({ task => 'stuck', tables => { include => ['stuck.filled'] }, initial_copy => { existing => 'append' } });
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/stuck\.filled.*duplicate key.*\(7\)/, 'a row in the way is named');
$t->run_ok('drop');
is($t->source_sql('SELECT count(*) FROM pg_replication_slots'), 0, 'drop leaves no slot of a copy that failed');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/stuck\.filled.*duplicate key/, 'as long as it is there');
target('DELETE FROM stuck.filled WHERE id = 7');
$t->run_ok('run', '--until', 'current');
is(target('SELECT count(*) FROM stuck.filled'), 21, 'then the copy is made, and what was there stays');
$t->run_ok('drop');
is($t->source_sql('SELECT count(*) FROM pg_replication_slots') . target('SELECT count(*) FROM sluice.progress'), '00', 'and nothing is left');

# ---- row-level security of a target: check names it, and no row is hidden from what is applied

$t->source_sql('CREATE SCHEMA secured; CREATE TABLE secured.kept (id int PRIMARY KEY, v text); INSERT INTO secured.kept SELECT i, \'v\' FROM generate_series(1, 10) i');
my $database = target('SELECT current_database()');
target(qq{
	CREATE ROLE loader LOGIN; GRANT CREATE, TEMPORARY ON DATABASE "$database" TO loader; DROP SCHEMA sluice CASCADE;
	CREATE SCHEMA secured; GRANT USAGE, CREATE ON SCHEMA secured TO loader; CREATE TABLE secured.kept (id int PRIMARY KEY, v text);
	GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON secured.kept TO loader;
	ALTER TABLE secured.kept ENABLE ROW LEVEL SECURITY; CREATE POLICY odd ON secured.kept USING (id % 2 = 1);
});
my $config = { task => 'secured', tables => { include => ['secured.kept'] }, destination => { conninfo => $t->destination_conninfo =~ s/user=\S+/user=loader/r } };
$t->configure($config);
$t->fails_like(['check'], 3, qr/secured\.kept: row-level security hides rows .*destination/, 'a policy that applies to the loader');
target('ALTER ROLE loader BYPASSRLS');
$t->run_ok('run', '--until', 'current');
$t->source_sql(q{UPDATE secured.kept SET v = 'w'; DELETE FROM secured.kept WHERE id = 4});
$t->run_ok('run', '--until', 'current');
$t->equal_ok('secured.kept');

# The right goes while the task works: nothing is taken for absent, and the owner of a target is not subject to its policies.
target('ALTER ROLE loader NOBYPASSRLS');
$t->source_sql('DELETE FROM secured.kept WHERE id = 6');
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/secured\.kept: row-level security hides rows/, 'without the right the run ends');
is(target('SELECT count(*) FROM secured.kept'), 9, 'and nothing was done');
target('ALTER TABLE secured.kept OWNER TO loader');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('secured.kept');
target('ALTER TABLE secured.kept FORCE ROW LEVEL SECURITY');
$t->fails_like(['check'], 3, qr/secured\.kept: row-level security hides rows/, 'unless they are forced');

done_testing();
