#!/usr/bin/perl
# What created tables are made of beyond columns and keys: defaults, comments,
# unique constraints and indexes, types of users.  And that `schema` prints it.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $greenplum = $t->destination_is_greenplum;
plan skip_all => 'the source has no multiranges' if $t->source_sql('SHOW server_version_num') < 140000;
my $multiranges = $t->destination_sql('SHOW server_version_num') >= 140000;

sub target { return $t->destination_sql($_[0]); }

sub default_of
{
	my ($column) = @_;
	return target("SELECT coalesce(pg_get_expr(adbin, adrelid), 'none') FROM pg_attribute a LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
		WHERE attrelid = 'full_of.it'::regclass AND attname = '$column'");
}

sub indexes_of
{
	my ($table) = @_;
	return target("SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = '$table'::regclass");
}

sub constraints_of
{
	my ($table) = @_;
	return target("SELECT coalesce(string_agg(conname, ' ' ORDER BY conname), '') FROM pg_constraint WHERE conrelid = '$table'::regclass AND contype IN ('p', 'u')");
}

$t->source_sql(q{
	CREATE SCHEMA types; CREATE SCHEMA full_of;
	CREATE TYPE types.mood AS ENUM ('sad', 'it''s ok', 'back\\slash');
	CREATE DOMAIN types.price AS numeric(10,2) DEFAULT 1.5 NOT NULL CONSTRAINT positive CHECK (VALUE >= 0);
	CREATE DOMAIN types.feeling AS types.mood;
	CREATE TYPE types.item AS (name text, price types.price, "how it is" types.mood[]);
	CREATE TYPE types.halves AS RANGE (SUBTYPE = float8);
	CREATE TYPE types.words AS RANGE (SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops, COLLATION = "C", MULTIRANGE_TYPE_NAME = types.many_words);
	CREATE TYPE types.spans AS (words types.words, many types.many_words);
	CREATE FUNCTION types.own() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 5';
	CREATE DOMAIN types.odd AS int CHECK (VALUE <> types.own()) CHECK (VALUE > 0);
	CREATE COLLATION types.sorting (LOCALE = 'C');
	CREATE DOMAIN types.lacking AS varchar(20) CHECK (VALUE < 'x' COLLATE types.sorting);
	COMMENT ON TYPE types.mood IS 'how it''s';
	CREATE TABLE full_of.it (
		id serial PRIMARY KEY,
		number int DEFAULT 7,
		word text NOT NULL DEFAULT E'it''s \\\\',
		at timestamptz DEFAULT now(),
		day date DEFAULT CURRENT_DATE + 1,
		made int DEFAULT types.own(),
		mood types.mood DEFAULT 'sad',
		moods types.mood[] DEFAULT '{}',
		feeling types.feeling,
		price types.price,
		item types.item,
		halves types.halves,
		many_halves types.halves_multirange,
		words types.words,
		many_words types.many_words[],
		spans types.spans,
		odd types.odd,
		lacking types.lacking,
		sorted bool DEFAULT ('a' < 'b' COLLATE types.sorting),
		twice int GENERATED ALWAYS AS (number * 2) STORED,
		"Odd name" varchar(10),
		UNIQUE (word, id), UNIQUE (number));
	CREATE INDEX by_day ON full_of.it (day DESC, lower(word)) WHERE number > 0;
	CREATE INDEX "by own" ON full_of.it ((number + types.own()));
	CREATE INDEX "by sorting" ON full_of.it (word COLLATE types.sorting);
	CREATE UNIQUE INDEX lower_word ON full_of.it ((lower(word) || '/' || id));
	CREATE UNIQUE INDEX once ON full_of.it (id, "Odd name");
	COMMENT ON TABLE full_of.it IS 'all of it''s';
	COMMENT ON COLUMN full_of.it."Odd name" IS 'odd \\ name';
	CREATE TABLE full_of.row_typed (id int PRIMARY KEY, it full_of.it);
	INSERT INTO full_of.it (word, mood, moods, feeling, item, halves, odd, number)
		SELECT 'w' || i, 'sad', ARRAY['sad','back\\slash']::types.mood[], 'it''s ok', '(n,2,{sad})', '[1,2)', 1, i FROM generate_series(1, 100) i;
	UPDATE full_of.it SET many_halves = '{[1,2),[3,4.5)}', words = '[B,a)', many_words = ARRAY['{[B,a),[b,c]}', NULL]::types.many_words[], spans = ROW('[Z,a]', '{}') WHERE id % 2 = 0;
	INSERT INTO full_of.row_typed SELECT i, it FROM generate_series(1, 3) i, full_of.it WHERE id = 1;
});
my @tables = qw(full_of.it full_of.row_typed);

# ---- printed

$t->configure({ tables => { include => ['full_of.*'] }, schema => { indexes => 'all' } });
my $printed = $t->run_ok('schema')->{stdout};
like($printed, qr/^-- column id: without its default nextval\(.*\): sequences are not replicated$/m, 'schema says which default is left out');
like($printed, qr/^-- column made: without its default types\.own\(\): the function types\.own\(\) is not known to be harmless$/m, 'of what is not known to be harmless');
like($printed, qr/^-- column sorted: without its default .*: .*collation .* does not exist/m, 'and what the destination refuses');
like($printed, qr/^-- without the type types\.lacking: .*collation .* does not exist/m, 'a type, too');
like($printed, qr/^-- column lacking: types\.lacking becomes character varying\(20\)$/m, 'which its base type stands for');
like($printed, qr/^-- type types\.odd: without its constraint odd_check CHECK .*: the function types\.own\(\) is not known to be harmless$/m, 'which check of a domain is left out');
like($printed, qr/^CREATE DOMAIN "types"\."odd" AS integer CONSTRAINT "odd_check1" CHECK /m, 'and which is not');
like($printed, qr/^-- without the index by own: the function types\.own\(\) is not known to be harmless$/m, 'and which index');
like($printed, qr/CREATE TYPE "types"\."mood".*CREATE DOMAIN "types"\."price".*CREATE TYPE "types"\."item"/s, 'types in their order');
like($printed, qr/CREATE TYPE "types"\."words" AS RANGE \(SUBTYPE = text, SUBTYPE_OPCLASS = pg_catalog\.text_pattern_ops, COLLATION = pg_catalog\."C"/, 'a range keeps what its values depend on');
like($printed, qr/^-- without the type types\.many_words: the destination makes no multiranges$/m, 'multiranges become text') if !$multiranges;
like($printed, qr/, MULTIRANGE_TYPE_NAME = types\.many_words\).*CREATE TYPE "types"\."spans" /s, 'multiranges come with their ranges') if $multiranges;
like($printed, qr/^-- the index $_ is not unique: storage or distribution does not allow it$/m, "$_ does not fit the distribution")
  for $greenplum ? qw(it_number_key lower_word) : ();
like($printed, qr/-- when the rows have been copied.*"by_day"/s, 'indexes come last');
is(target("SELECT count(*) FROM pg_namespace WHERE nspname IN ('types', 'full_of')"), 0, 'and nothing is made');
like($t->run_ok('check')->{stdout}, qr/types +full_of\.it.*lacking \(types\.lacking becomes character varying\(20\)\)/, 'check knows what will be replaced');
unlike($t->run_ok('check')->{stdout}, qr/mood \(/, 'and what will not');

# ---- executed by somebody else, it makes the same

# What there is in the schemas, object by object.
sub made
{
	my $in = "IN ('types', 'full_of', 'sluice')";
	my $distribution = $greenplum ? "|| ' ' || coalesce((SELECT distkey::text FROM gp_distribution_policy p WHERE p.localoid = c.oid), '')" : '';
	return target("
		SELECT 'column ' || c.relname || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull::text || ' ' || coalesce(pg_get_expr(adbin, adrelid), '') || ' ' || coalesce(col_description(attrelid, attnum), '')
			FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE nspname $in AND attnum > 0
		UNION ALL SELECT 'relation ' || relname || ' ' || relkind::text || ' ' || coalesce(obj_description(c.oid, 'pg_class'), '') $distribution FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname $in
		UNION ALL SELECT 'index ' || pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname $in
		UNION ALL SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_namespace n ON n.oid = connamespace WHERE nspname $in
		UNION ALL SELECT 'type ' || typname || ' ' || typtype::text || ' ' || coalesce(typdefault, '') || ' ' || coalesce(obj_description(t.oid, 'pg_type'), '') || ' ' || coalesce((SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid), '')
			FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace WHERE nspname $in
		ORDER BY 1");
}
{
	my ($failed, undef, $refused) = SluiceTest::psql_try($t->destination_conninfo, $printed =~ s/^CREATE INDEX "by sorting".*\n//mr); # whose collation is not there
	is($failed, 0, 'psql executes what schema printed') or diag($refused);
}
my $by_hand = made();
target('DROP SCHEMA types CASCADE; DROP SCHEMA full_of CASCADE; DROP SCHEMA sluice CASCADE');

# ---- made

my $run = $t->run_ok('run', '--until', 'current');
$run->{status} == 0 or die 'the initial copy failed';
like($run->{stderr}, qr/full_of\.it: the column made is made without its default/, 'the log says what is left out');
like($run->{stderr}, qr/warning the destination goes without "CREATE INDEX .by sorting.*": /, 'and which index was refused');
is($t->run_ok('schema')->{stdout}, '', 'nothing is left to do');
is(made(), $by_hand, 'run makes what schema prints');
is(target('SELECT count(*) FROM sluice.unfinished'), 0, 'and nothing written down');
$t->all_equal_ok(@tables);
is(target(q{SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'full_of.it'::regclass AND attname = 'moods'}), 'types.mood[]', 'an array of an enum');
is(default_of($_->[0]), $_->[1], "the default of $_->[0]")
  for [ id => 'none' ], [ number => 7 ], [ made => 'none' ], [ mood => q{'sad'::types.mood} ], [ twice => 'none' ], [ at => 'now()' ];
is(target(q{SELECT obj_description('full_of.it'::regclass, 'pg_class') || '|' || col_description('full_of.it'::regclass, (SELECT attnum FROM pg_attribute
	WHERE attrelid = 'full_of.it'::regclass AND attname = 'Odd name'))}), q{all of it's|odd \\ name}, 'comments');
is(target("SELECT obj_description('types.mood'::regtype, 'pg_type')"), q{how it's}, 'of a type, too');
is(indexes_of('full_of.it'), 'by_day it_number_key it_pkey it_word_id_key lower_word once', 'indexes');
is(target("SELECT string_agg(relname::text, ' ' ORDER BY relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'full_of.it'::regclass AND indisunique"),
	$greenplum ? 'it_pkey it_word_id_key once' : 'it_number_key it_pkey it_word_id_key lower_word once', 'which are unique');
is(constraints_of('full_of.it'), $greenplum ? 'it_pkey it_word_id_key' : 'it_number_key it_pkey it_word_id_key', 'constraints');

$t->start;
$t->source_sql(q{
	UPDATE full_of.it SET mood = 'back\\slash', moods = moods || 'sad'::types.mood WHERE id > 50; UPDATE full_of.it SET number = -number;
	UPDATE full_of.it SET word = 'w' || (101 - id); DELETE FROM full_of.it WHERE id < 10; INSERT INTO full_of.it (odd, number) VALUES (2, NULL), (3, 1000);
});
$t->wait_applied_ok('changes');
$t->all_equal_ok(@tables);

# ---- a new table with a new type, while the stream runs

$t->source_sql(q{CREATE TYPE types.later AS ENUM ('a', 'b');
	CREATE TABLE full_of.later (id int PRIMARY KEY, v types.later DEFAULT 'b', w text UNIQUE);
	INSERT INTO full_of.later VALUES (1, 'a', 'x')});
$t->poll_ok(sub { my ($failed, $count) = SluiceTest::psql_try($t->destination_conninfo, 'SELECT count(*) FROM full_of.later'); !$failed && $count == 1 }, 'a table with a type of its own comes');
$t->wait_applied_ok('and is followed');
$t->all_equal_ok(@tables, 'full_of.later');
is($t->stop, 0, 'it stops');
$t->run_ok('drop');

# ---- by choice

for my $choice ([ none => 'it_pkey' ], [ unique => $greenplum ? 'it_pkey it_word_id_key once' : 'it_number_key it_pkey it_word_id_key lower_word once' ])
{
	my ($indexes, $names) = @$choice;
	target('DROP SCHEMA full_of CASCADE');
	$t->configure({ tables => { include => ['full_of.it'] }, schema => { indexes => $indexes } });
	$t->run_ok('run', '--until', 'current');
	is(indexes_of('full_of.it'), $names, "indexes: $indexes");
	$t->run_ok('drop');
}

# ---- two tables of one name end in one schema

$t->source_sql(q{CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (id int PRIMARY KEY, v int); CREATE TABLE b.t (LIKE a.t INCLUDING ALL);
	CREATE INDEX by_v ON a.t (v); CREATE INDEX by_v ON b.t (v)});
$t->configure({ tables => { include => [ 'a.t', 'b.t' ], overrides => [ map { { source => "$_.t", target => "c.$_" } } qw(a b) ] }, schema => { indexes => 'all' } });
unlike($t->run_ok('run', '--until', 'current')->{stderr}, qr/goes without/, 'their indexes do not collide');
like(indexes_of("c.$_"), qr/^${_}_pkey by_v_\d+$/, "of c.$_") for qw(a b);
$t->run_ok('drop');

done_testing();
