#!/usr/bin/perl
# PostGIS: where both sides have it, in one schema or in two, and where the
# destination lacks it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
plan skip_all => 'PostGIS is not installed for the server that the tests use'
  if $t->source_sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'}) == 0;
my $available = $t->destination_sql(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'}) > 0;

my @shapes = map { "'$_'" } 'SRID=4326;POINT(1.5 -2.25)', 'POINT(0.1 0.30000000000000004)', 'POINT Z (1 2 3)', 'POINT M (1 2 3)', 'SRID=3857;POINT ZM (1 2 3 4)',
	'POINT EMPTY', 'SRID=4326;LINESTRING EMPTY', 'LINESTRING(0 0,1e-300 1e300)', 'POLYGON((0 0,4 0,4 4,0 4,0 0),(1 1,2 1,2 2,1 1))', 'MULTIPOINT(0 0,1 1)',
	'GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))', 'CIRCULARSTRING(0 0,1 1,2 0)', 'TRIANGLE((0 0,1 0,0 1,0 0))', 'POLYHEDRALSURFACE(((0 0 0,0 1 0,1 0 0,0 0 0)))';
my $values = join ', ', map { "(${_}::geometry)" } @shapes;

$t->source_sql(qq{
	CREATE EXTENSION postgis;
	CREATE SCHEMA geo;
	CREATE DOMAIN geo.place AS geometry(Point,4326);
	CREATE TABLE geo.shapes (id serial PRIMARY KEY, g geometry, p geometry(Point,4326) DEFAULT ST_SetSRID(ST_MakePoint(1, 2), 4326), z geometry(PointZM), e geography, ep geography(Point,4326),
		many geometry[], b box2d, bb box3d, place geo.place, area float8 GENERATED ALWAYS AS (ST_Area(g)) STORED, note text);
	CREATE INDEX by_g ON geo.shapes USING gist (g); CREATE INDEX by_envelope ON geo.shapes USING gist (ST_Envelope(g)); CREATE INDEX by_e ON geo.shapes USING gist (e);
	INSERT INTO geo.shapes (g) SELECT * FROM (VALUES $values) v (g);
	UPDATE geo.shapes SET p = ST_SetSRID(ST_MakePoint(id, id / 7.0), 4326), place = ST_SetSRID(ST_MakePoint(id, 0), 4326) WHERE id % 2 = 0;
	UPDATE geo.shapes SET z = ST_MakePoint(1, 2, 3, id), ep = ST_MakePoint(id, -id)::geography, many = ARRAY[g, NULL, 'POINT(1 1)'], b = ST_MakeBox2D(ST_MakePoint(0, 0), ST_MakePoint(1, id)), bb = 'BOX3D(0 0 0, 1 2 3)' WHERE id % 3 = 0;
	UPDATE geo.shapes SET e = 'SRID=4326;LINESTRING(0 0,10 10.1)' WHERE id % 4 = 0;
	CREATE TABLE geo.keyless (g geometry, n int); ALTER TABLE geo.keyless REPLICA IDENTITY FULL;
	INSERT INTO geo.keyless SELECT g, i FROM (VALUES $values) v (g), generate_series(1, 3) i; INSERT INTO geo.keyless SELECT g, 1 FROM geo.keyless WHERE n = 2;
	CREATE TABLE geo.keyed (g geometry PRIMARY KEY, v int);
	INSERT INTO geo.keyed SELECT ST_MakePoint(i, i / 3.0), i FROM generate_series(1, 50) i;
	CREATE TABLE geo.large (id int PRIMARY KEY, g geometry, n int); ALTER TABLE geo.large ALTER g SET STORAGE EXTERNAL;
	INSERT INTO geo.large SELECT i, (SELECT ST_MakeLine(ST_MakePoint(j, i) ORDER BY j) FROM generate_series(1, 2000) j), i FROM generate_series(1, 5) i;
});
my @tables = map { "geo.$_" } qw(shapes keyless keyed large);

# Copied, followed and compared; then let go of, so that the next one starts afresh.
sub followed_ok
{
	my ($name) = @_;
	$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
	$t->all_equal_ok(@tables);
	is($t->run_ok('schema')->{stdout}, '', "$name: nothing is left to make");
	$t->source_sql(qq{
		INSERT INTO geo.shapes (g, note) SELECT g, 'new' FROM geo.shapes; UPDATE geo.shapes SET note = 'touched' WHERE id % 5 = 0;
		UPDATE geo.shapes SET g = 'POINT(7 7)', p = NULL, e = 'POINT EMPTY', many = '{}' WHERE id % 7 = 0; DELETE FROM geo.shapes WHERE id % 11 = 0; UPDATE geo.shapes SET id = -id WHERE id > 0 AND id % 13 = 0;
		DELETE FROM geo.keyless WHERE ctid IN (SELECT ctid FROM geo.keyless WHERE n = 1 LIMIT 9); UPDATE geo.keyless SET n = 9 WHERE n = 2; INSERT INTO geo.keyless VALUES ('POINT(1 1)'), (NULL), (NULL); DELETE FROM geo.keyless WHERE ctid = (SELECT max(ctid) FROM geo.keyless);
		UPDATE geo.keyed SET v = -v WHERE v % 2 = 0; DELETE FROM geo.keyed WHERE v % 5 = 0; UPDATE geo.keyed SET g = ST_MakePoint(-v, random()) WHERE v % 7 = 0; INSERT INTO geo.keyed SELECT ST_MakePoint(1000 + random(), random()), v FROM geo.keyed;
		UPDATE geo.large SET n = -n; UPDATE geo.large SET g = 'POINT EMPTY' WHERE id = 2; UPDATE geo.large SET id = id + 100 WHERE id = 3;
	});
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
	$t->source_sql(q{BEGIN; INSERT INTO geo.keyed SELECT ST_MakePoint(i, -random()), i FROM generate_series(1, 2000) i; UPDATE geo.keyed SET v = v + 1; DELETE FROM geo.keyed WHERE v % 3 = 0; COMMIT});
	$t->run_ok('run', '--until', 'current');
	$t->all_equal_ok(@tables);
	$t->run_ok('compare');
	$t->run_ok('drop');
}

sub column_types
{
	return $t->destination_sql(q{SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute
		WHERE attrelid = 'geo.shapes'::regclass AND attnum > 0 AND attname IN ('g', 'p', 'ep', 'many', 'place')});
}

$t->configure({ tables => { include => ['geo.*'] }, schema => { indexes => 'all' } });

# ---- the destination lacks it

my $ddl = $t->run_ok('schema')->{stdout};
like($ddl, qr/^-- column g: public\.geometry becomes text$/m, 'schema says what takes the place');
like($ddl, qr/"p" text/, 'of a geometry');
like($t->run_ok('check')->{stdout}, qr/^warning +types +geo\.shapes: .*p \(public\.geometry\(Point,4326\) becomes text\).*many \(public\.geometry\[\] becomes text\[\]\)/m, 'and check does');
followed_ok('as text');
is(column_types(), 'g text, p text, ep text, many text[], place text', 'text is what it is there');
is($t->destination_sql('SELECT g FROM geo.keyed ORDER BY g LIMIT 1'), $t->source_sql('SELECT g::text FROM geo.keyed ORDER BY g::text LIMIT 1'), 'in hexadecimal digits, that PostGIS reads');

# ---- both have it

SKIP: {
	skip 'the destination has no PostGIS', 1 unless $available;
	$t->destination_sql('DROP SCHEMA geo CASCADE; CREATE SCHEMA "G i s"; CREATE EXTENSION postgis SCHEMA "G i s"');
	like($t->run_ok('schema')->{stdout}, qr/"p" "G i s"\.geometry\(Point,4326\),.*"many" "G i s"\.geometry\[\]/s, 'schema knows where it is');
	followed_ok('in another schema');
	is(column_types(), 'g "G i s".geometry, p "G i s".geometry(Point,4326), ep "G i s".geography(Point,4326), many "G i s".geometry[], place "G i s".geometry(Point,4326)', 'the types are kept there');
	$t->destination_sql('DROP EXTENSION postgis CASCADE');

	$t->destination_sql('DROP SCHEMA geo CASCADE; CREATE EXTENSION postgis');
	my @remarks = grep { !/^-- when/ } $t->run_ok('schema')->{stdout} =~ /^(--.*?)(?:: .*)?$/mg;
	is(join("\n", @remarks), "-- column id\n-- column p\n-- without the index by_envelope", 'nothing takes another\'s place');
	followed_ok('in the same schema');
	is(column_types(), 'g geometry, p geometry(Point,4326), ep geography(Point,4326), many geometry[], place geo.place', 'the types are kept');
	is($t->destination_sql(q{SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'shapes'}), 'by_e by_g shapes_pkey', 'and the indexes, but for those that call functions');
	is($t->destination_sql('SELECT count(*) FROM geo.shapes WHERE ST_Area(g) IS DISTINCT FROM area'), 0, 'the values mean the same');
}

done_testing();
