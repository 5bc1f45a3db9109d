#!/usr/bin/perl
# A role of the source that owns nothing but a schema which is followed: whatever it defines, names or stores there
# reaches the destination as data.  Nothing of it runs at the destination with the rights of the user that sluice logs
# in as, and nothing of it at the source with those of the user there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
sub target { return $t->destination_sql($_[0]); }

# What an attack calls leaves a trace: at the destination by counting, at the source by who called it.
my $count = q{nextval('public.traces')};
my $call = q{query_to_xml('SELECT nextval(''public.traces'')', true, true, '')::text};
my $named = join "\n", map { "CREATE FUNCTION shop.$_;" } (
	"evil(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM shop.note(); RETURN \$1; END'",
	"evil(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM shop.note(); RETURN \$1; END'",
	"evil_and(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM shop.note(); RETURN \$1; END'");
my $names = q{CREATE OPERATOR shop.+ (PROCEDURE = shop.evil_and, LEFTARG = int, RIGHTARG = int);};

$t->source_sql(q{
	CREATE ROLE mallory LOGIN; CREATE SCHEMA shop AUTHORIZATION mallory; CREATE SCHEMA sluice AUTHORIZATION mallory; CREATE SEQUENCE public.traces; GRANT ALL ON SEQUENCE public.traces TO mallory;
	CREATE TABLE public.told (who text); GRANT ALL ON public.told TO PUBLIC;
	CREATE OPERATOR CLASS public.odd_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
	CREATE TABLE public.bystander (id int PRIMARY KEY); INSERT INTO public.bystander VALUES (1);
});
my $mallory = $t->source_conninfo =~ s/user=postgres/user=mallory/r;
sub attack { return SluiceTest::psql($mallory, $_[0]); }

# The destination has what the attacks name: what is not taken over is not missing there either.
target(qq{
	CREATE SCHEMA shop; CREATE SEQUENCE public.traces; CREATE TABLE public.victim (id int);
	CREATE FUNCTION shop.note() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM $count; END';
} =~ s/'public\.traces'\); END/''public.traces''); END/r . "$named $names");

attack(q{CREATE FUNCTION shop.note() RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.told VALUES (current_user); END';} . "$named $names");
attack(qq{
	CREATE DOMAIN shop.checked AS int CHECK (length($call) > 0) CHECK (VALUE <> 7) CONSTRAINT own CHECK (shop.evil(VALUE) = VALUE);
	CREATE DOMAIN shop.given AS text DEFAULT $call;
	CREATE DOMAIN shop.shouted AS text DEFAULT upper('fine') NOT NULL CHECK (VALUE <> 'no');
	CREATE TYPE shop.pair AS (a shop.checked, b text);
	CREATE TYPE shop.mood AS ENUM ('ok', 'it''s \\', '"); DROP TABLE public.victim; --');
	CREATE FUNCTION shop.show(shop.mood) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM shop.note(); RETURN ''x''; END';
	CREATE CAST (shop.mood AS text) WITH FUNCTION shop.show(shop.mood) AS IMPLICIT;
	CREATE FUNCTION shop.show(shop.pair) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM shop.note(); RETURN ''x''; END';
	CREATE CAST (shop.pair AS text) WITH FUNCTION shop.show(shop.pair) AS IMPLICIT;
	CREATE FUNCTION shop.read(text) RETURNS shop.mood LANGUAGE plpgsql AS 'BEGIN PERFORM shop.note(); RETURN enum_first(NULL::shop.mood); END';
	CREATE CAST (text AS shop.mood) WITH FUNCTION shop.read(text);
	CREATE TYPE shop.odd_key AS (a int, b text);
	CREATE FUNCTION shop.show(shop.odd_key) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM shop.note(); RETURN ''x''; END';
	CREATE CAST (shop.odd_key AS text) WITH FUNCTION shop.show(shop.odd_key) AS IMPLICIT;
	CREATE FUNCTION shop.read_key(text) RETURNS shop.odd_key LANGUAGE plpgsql AS 'BEGIN PERFORM shop.note(); RETURN NULL; END';
	CREATE CAST (text AS shop.odd_key) WITH FUNCTION shop.read_key(text);
	CREATE TABLE shop.keyed (m shop.mood, k shop.odd_key, ms shop.mood[], v int, PRIMARY KEY (m, k));
	INSERT INTO shop.keyed VALUES ('ok', '(1,"")', '{ok,ok}', 1), ('ok', '(2,"")', '{ok,ok}', 2), ('ok', '(3,"")', '{}', 3);

	CREATE TABLE shop.typed (id int PRIMARY KEY, c shop.checked, cs shop.checked[], g shop.given, s shop.shouted, p shop.pair, m shop.mood);
	INSERT INTO shop.typed SELECT i, i, ARRAY[i], 'g', 's', ('(' || i || ',b)')::shop.pair, 'ok' FROM generate_series(10, 12) i;
	ALTER TABLE shop.typed ALTER m SET DEFAULT 'ok';

	CREATE TABLE shop.defaults (id int PRIMARY KEY, called text DEFAULT $call, own int DEFAULT shop.evil(1), operated int DEFAULT 1 OPERATOR(shop.+) 2,
		via shop.mood DEFAULT 'ok', cast_by_hers text DEFAULT 'ok'::shop.mood, counted bigint DEFAULT $count, stable xml DEFAULT table_to_xml('shop.typed', true, true, ''),
		setting text DEFAULT current_setting('data_directory', true), fine text DEFAULT lower('A') || to_char(now(), 'YYYY'), noon time DEFAULT '12:00', is_new bool DEFAULT 1 < 2,
		by_hers text DEFAULT CURRENT_USER, chance float8 DEFAULT random(), due date DEFAULT CURRENT_DATE + 30);
	INSERT INTO shop.defaults VALUES (1, '', 1, 1, 'ok', '', 1, '<a/>', '', '', '12:00', true, '', 0, '2024-01-01');

	CREATE TYPE sluice.progress AS ENUM ('x');
	CREATE TABLE shop.placed (id int, p sluice.progress) PARTITION BY LIST (id); CREATE TABLE sluice.tables PARTITION OF shop.placed FOR VALUES IN (1);
	ALTER TABLE shop.placed REPLICA IDENTITY FULL; ALTER TABLE sluice.tables REPLICA IDENTITY FULL; INSERT INTO shop.placed VALUES (1, 'x');

	CREATE TABLE shop.indexed (id int PRIMARY KEY, v text NOT NULL);
	INSERT INTO shop.indexed VALUES (1, 'a'), (2, 'b');
	CREATE INDEX by_hers ON shop.indexed (shop.evil(id));
	CREATE INDEX where_hers ON shop.indexed (v) WHERE shop.evil(id) = id;
	CREATE UNIQUE INDEX once_hers ON shop.indexed (id, shop.evil(v));
	CREATE INDEX class_of_others ON shop.indexed (id public.odd_ops);
	CREATE TYPE shop.odd_range AS RANGE (SUBTYPE = int, SUBTYPE_OPCLASS = public.odd_ops); CREATE TABLE shop.ranged (id int PRIMARY KEY, r shop.odd_range); INSERT INTO shop.ranged VALUES (1, '[1,2)');
	CREATE INDEX fine ON shop.indexed (lower(v)) WHERE id > 0;

	CREATE TABLE shop.parted (id int, at date) PARTITION BY LIST (shop.evil(id));
	CREATE TABLE shop.parted_1 PARTITION OF shop.parted FOR VALUES IN (1);
	CREATE FUNCTION shop."evil
DROP TABLE public.victim; --"(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT \$1';
	CREATE TABLE shop.named (id int) PARTITION BY LIST (shop."evil
DROP TABLE public.victim; --"(id));
	CREATE TABLE shop.nested (id int, at date) PARTITION BY RANGE (at);
	CREATE TABLE shop.nested_1 PARTITION OF shop.nested FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (shop.evil(id));
	CREATE TABLE shop.nested_2 PARTITION OF shop.nested_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
	ALTER TABLE shop.named REPLICA IDENTITY FULL; ALTER TABLE shop.parted REPLICA IDENTITY FULL; ALTER TABLE shop.parted_1 REPLICA IDENTITY FULL; ALTER TABLE shop.nested REPLICA IDENTITY FULL; ALTER TABLE shop.nested_2 REPLICA IDENTITY FULL;
	INSERT INTO shop.parted VALUES (1, '2024-02-01'); INSERT INTO shop.nested VALUES (2, '2024-02-01');

	CREATE TABLE shop."x""); DROP TABLE public.victim; --" (id int PRIMARY KEY, "';
DROP TABLE public.victim; --" text DEFAULT E'\\\\'');\nDROP TABLE public.victim; --');
	COMMENT ON TABLE shop."x""); DROP TABLE public.victim; --" IS E'\\\\''; DROP TABLE public.victim; --\n';
	INSERT INTO shop."x""); DROP TABLE public.victim; --" VALUES (1, E'\\\\'');\nDROP TABLE public.victim; --');

	CREATE TABLE shop.grows (id int PRIMARY KEY); INSERT INTO shop.grows VALUES (1), (2);
	CREATE TABLE shop.lacking (id int PRIMARY KEY); INSERT INTO shop.lacking VALUES (1);
	ALTER TABLE shop.lacking ADD COLUMN stored int DEFAULT 9; ALTER TABLE shop.lacking ADD COLUMN own int, ADD COLUMN called text; ALTER TABLE shop.lacking ALTER stored SET DEFAULT shop.evil(8), ALTER own SET DEFAULT shop.evil(8), ALTER called SET DEFAULT $call;
	INSERT INTO shop.lacking VALUES (2, 2, 2, '');
});
my @tables = qw(shop.placed shop.ranged shop.typed shop.defaults shop.indexed shop.parted shop.nested shop.grows shop.keyed);

sub nothing_ran
{
	my ($name) = @_;
	is(target('SELECT is_called FROM public.traces'), 'f', "$name: nothing ran at the destination");
	is(target(q{SELECT to_regclass('public.victim') IS NOT NULL}), 't', "$name: nor was anything taken for a statement");
	is($t->source_sql(q{SELECT coalesce(string_agg(DISTINCT who, ','), '') FROM public.told WHERE who <> 'mallory'}), '', "$name: and nothing at the source with other rights than its own");
}

$t->configure({ tables => { include => ['shop.*'], exclude => ['shop.lacking'] }, schema => { indexes => 'all', partitions => 'keep' } });
my $check = $t->run_ok('check')->{stdout};
like($check, qr/^warning +definitions +shop\.$_$/m, "check says what is left out: $_") for
	'checked: the domain is made without its constraint checked_check CHECK .*: the function query_to_xml\(text,boolean,boolean,text\) is not known to be harmless',
	'checked: the domain is made without its constraint own CHECK .*: the function shop\.evil\(integer\) is not known to be harmless',
	'given: the domain is made without its default .*: the function query_to_xml.* is not known to be harmless',
	'defaults: the column called is made without its default .*: the function query_to_xml.* is not known to be harmless',
	'defaults: the column own is made without its default shop\.evil\(1\): the function shop\.evil\(integer\) is not known to be harmless',
	'defaults: the column operated is made without its default .*: the operator shop\.\+\(integer,integer\) is not known to be harmless',
	'defaults: the column cast_by_hers is made without its default .*: the function shop\.show\(shop\.mood\) is not known to be harmless',
	'defaults: the column counted is made without its default .*: sequences are not replicated',
	'defaults: the column stable is made without its default .*: the function table_to_xml.* is not known to be harmless',
	'defaults: the column setting is made without its default .*: the function current_setting.* is not known to be harmless',
	'indexed: it is made without the index by_hers: the function shop\.evil\(integer\) is not known to be harmless',
	'indexed: it is made without the index where_hers: the function shop\.evil\(integer\) is not known to be harmless',
	'indexed: it is made without the index once_hers: the function shop\.evil\(text\) is not known to be harmless',
	'indexed: it is made without the index class_of_others: the operator class public\.odd_ops is not known to be harmless',
	'odd_range: the type is not made: the operator class public\.odd_ops is not known to be harmless',
	'parted: it is made as one table: the function shop\.evil\(integer\) is not known to be harmless',
	'named: it is made as one table: the function shop\."evil DROP TABLE public\.victim; --"\(integer\) is not known to be harmless',
	'placed: it is made as one table: the schema sluice is that of the task\'s state',
	'nested: it is made as one table: the function shop\.evil\(integer\) is not known to be harmless';
is(scalar(() = $check =~ /^warning +definitions /mg), 20, 'and of nothing else');
like($check, qr/^warning +superuser +destination: sluice logs in as a superuser there/m, 'and that the loader may do anything');
my $schema = $t->run_ok('schema')->{stdout};
like($check, qr{^warning +definitions +sluice\.progress: the type is not made: the schema sluice is that of the task's state$}m, 'a type of the state\'s schema');
like($schema, qr/^-- type shop\.checked: without its constraint own CHECK \(\(?shop\.evil\(.*: the function shop\.evil\(integer\) is not known to be harmless$/m, 'schema says it in a comment');
like($schema, qr/^-- as one table: the function shop\.evil\(integer\) is not known to be harmless$/m, 'of a partition key, too');
unlike($schema =~ s/^--.*\n//mgr, qr/evil|query_to_xml|nextval|table_to_xml/, 'and prints none of it');
my ($failed) = SluiceTest::psql_try($t->destination_conninfo, "BEGIN;\n$schema\nROLLBACK;\n");
is($failed, 0, 'what it prints can be executed');
nothing_ran('check and schema');

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the copy');
$t->all_equal_ok(@tables);
is(target($_), $t->source_sql($_), 'and a table whose names are statements') for 'TABLE shop."x""); DROP TABLE public.victim; --"';
nothing_ran('the copy');
sub defaults_of { return target("SELECT string_agg(a.attname || ' ' || pg_get_expr(adbin, adrelid), ', ' ORDER BY attnum) FROM pg_attrdef JOIN pg_attribute a ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'shop.$_[0]'::regclass"); }
like(defaults_of('defaults'), qr/^via 'ok'::shop\.mood, fine \(lower\('A'::text\) \|\| to_char\(now\(\), 'YYYY'::text\)\), noon '12:00:00'::time without time zone, is_new \(1 < 2\), by_hers .*"?current_user"?.*, chance random\(\), due \(.*\+ 30\)$/i, 'harmless defaults are there');
is(target(q{SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE contypid = 'shop.checked'::regtype}), 'CHECK ((VALUE <> 7))', 'and harmless checks');
is(target(q{SELECT typdefault || ' ' || typnotnull::text FROM pg_type WHERE oid = 'shop.shouted'::regtype}), q{upper('fine'::text) true}, 'of a domain the rest');
is(target(q{SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'shop.indexed'::regclass}), 'fine,indexed_pkey', 'and harmless indexes');

# ---- followed
attack(qq{
	ALTER TABLE shop.grows ADD COLUMN a int DEFAULT 5; ALTER TABLE shop.grows ALTER a SET DEFAULT shop.evil(6); ALTER TABLE shop.grows ADD COLUMN b text; ALTER TABLE shop.grows ALTER b SET DEFAULT $call;
	ALTER TABLE shop.grows ADD COLUMN c shop.checked; ALTER TABLE shop.grows ADD COLUMN d shop.checked DEFAULT 3;
	ALTER TABLE shop.indexed ALTER v SET DEFAULT $call;
	ALTER TABLE shop.grows RENAME COLUMN c TO "c""; DROP TABLE public.victim; --";
	ALTER TYPE shop.mood ADD VALUE E'\\\\''; DROP TABLE public.victim; --';
	ALTER TYPE shop.pair ADD ATTRIBUTE "c"" int; DROP TABLE public.victim; --" shop.checked;
	INSERT INTO shop.grows VALUES (3, 3, 'b', 3, 3); INSERT INTO shop.indexed VALUES (3, 'c'); DELETE FROM shop.typed WHERE id = 10; UPDATE shop.defaults SET own = 3;
});
attack(q{INSERT INTO shop.typed VALUES (13, 13, '{13}', 'g', 's', '(13,b,1)', E'\\\\''; DROP TABLE public.victim; --')});
attack(q{CREATE INDEX later_hers ON shop.indexed (shop.evil(id)); CREATE INDEX "i""; DROP TABLE public.victim; --" ON shop.indexed (v, id);
	COMMENT ON INDEX shop."i""; DROP TABLE public.victim; --" IS '\'' || (DROP TABLE public.victim) --'});
$t->wait_applied_ok('changes');
$t->poll_ok(sub { $t->status->{tables}[0] && !grep { $_->{state} ne 'streaming' } @{ $t->status->{tables} } }, 'all tables stream');
$t->all_equal_ok(@tables);
is(target('SELECT string_agg(a::text, \',\' ORDER BY id) FROM shop.grows'), '5,5,3', 'rows get the value that the source has for them');
$t->poll_ok(sub { target(q{SELECT count(*) FROM pg_class WHERE relname = 'i"; DROP TABLE public.victim; --'}) eq '1' }, 'a new index has its name');
is(target(q{SELECT count(*) FROM pg_class WHERE relname = 'later_hers'}), 0, 'and one that is not harmless is not followed');
nothing_ran('changed definitions');
unlike(defaults_of('grows'), qr/evil|query/, 'a default that is not harmless is not followed');
my $traffic = IPC::Run::start([ 'psql', '-X', '-q', '-d', $mallory ], '<', \q{SELECT 'UPDATE shop.keyed SET v = v + 1, ms = ms || m; SELECT pg_sleep(0.005)' FROM generate_series(1, 200) \gexec
}, '>', '/dev/null', '2>&1');
is($t->run_ok('compare')->{status}, 0, 'compare, while rows change');
$traffic->finish;
nothing_ran('compare');
$t->wait_applied_ok('the traffic');
target(q{UPDATE shop.keyed SET v = -1 WHERE k::text = '(2,"")'; DELETE FROM shop.keyed WHERE k::text = '(3,"")'; UPDATE shop.typed SET p = '(11,other,1)' WHERE id = 11});
my $differs = $t->sluice('compare', 'shop.keyed', 'shop.typed');
is($differs->{status}, 4, 'compare finds what differs');
like($differs->{stdout}, qr/shop\.keyed.*\(2,""\).*-1/s, 'and shows the rows');
nothing_ran('showing the differences');
is($t->stop, 0, 'the end');

# ---- a target with rows of its own that lacks columns
target(q{CREATE TABLE shop.lacking (id int PRIMARY KEY); INSERT INTO shop.lacking VALUES (7)});
$t->configure({ task => 'lacking', tables => { include => ['shop.lacking'] }, initial_copy => { existing => 'append' } });
unlike($t->run_ok('schema')->{stdout}, qr/evil|query/, 'columns that the target lacks come without such a default');
like($t->run_ok('run', '--until', 'current')->{stderr}, qr/warning the destination goes without the default shop\.evil\(8\) of the new column own of shop\.lacking: the function/, 'which is said');
is(target('SELECT * FROM shop.lacking ORDER BY id'), "1|9||\n2|2|2|\n7|9||", 'rows that are there get what the source has stored for its own');
is(defaults_of('lacking'), '', 'and no default');
nothing_ran('columns that were lacking');

done_testing();
