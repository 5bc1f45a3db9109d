#!/usr/bin/perl
# Names that have to be quoted somewhere: schemas, tables, columns, types;
# patterns over them, and other names at the destination.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { database => q(My 100% \\ it's shop) });

my @names = (
	'Mixed Case', 'two  spaces', ' ', 'do"uble', '"quoted"', "it's", 'dot.ted', '.', 'comma,', 'select', 'user', 'null',
	'per%cent %s %d %n', 'back\\slash', '\\', '\\N', '$dollar$', '{brace}', '(paren)', 'semi;--', '/* c */', '*', '?', 'st*r',
	"\xc3\xa4\xc3\xb6\xc3\xbc", "\xe8\xa1\xa8", "\xf0\x9f\x98\x80", 'x' x 63, "\xc3\xa4" x 31, '1digit', 'a:b', 'a=b', '#', '[1]', '~', 'UPPER',
);

sub quote
{
	return join '.', map { my $name = $_; $name =~ s/"/""/g; qq("$name") } @_;
}

# A table of every name in a schema of every other, with columns of all names:
# as a key, a TOASTed one, a plain one.
my (@tables, @setup, @changes);
my $columns = join ', ', map { quote($_) . ' int' } @names[ 5 .. $#names ];
for my $i (0 .. $#names)
{
	my ($schema, $table) = ($names[ -1 - $i ], $names[$i]);
	my ($id, $text, $number) = map { quote($names[$_]) } 0 .. 2;
	my $name = quote($schema, $table);
	push @tables, $name;
	push @setup, 'CREATE SCHEMA ' . quote($schema), "CREATE TABLE $name ($id int, $text text, $number numeric, $columns)",
		$i % 3 == 0 ? "ALTER TABLE $name REPLICA IDENTITY FULL" : "ALTER TABLE $name ADD PRIMARY KEY ($id)",
		"INSERT INTO $name SELECT i, i, i FROM generate_series(1, 5) i";
	push @changes, "INSERT INTO $name SELECT i, i, i FROM generate_series(6, 9) i", "UPDATE $name SET $number = $number + 1 WHERE $id % 2 = 0",
		"DELETE FROM $name WHERE $id = 3", "UPDATE $name SET $id = $id + 100 WHERE $id < 3",
		"UPDATE $name SET $text = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 2000) i) WHERE $id = 4",
		"UPDATE $name SET $number = 0 WHERE $id = 4";
	push @changes, "TRUNCATE $name", "INSERT INTO $name VALUES (1)" if $i % 10 == 0;
}

# Of types and a partitioned table.
my $type = quote('Ty"pe s', 'e.n\\um');
for my $sql ('CREATE SCHEMA ' . quote('Ty"pe s'), "CREATE TYPE $type AS ENUM ('a', 'b')")
{
	$t->source_sql($sql);
	my ($failed, undef, $message) = SluiceTest::psql_try($t->destination_conninfo, $sql);
	note("the destination has no such type: $message") if $failed;
}
my $root = quote('Mixed Case', 'ro"ot');
push @tables, $root;
push @setup, "CREATE TABLE $root (\"i d\" int PRIMARY KEY, \"t.t\" $type, \"ts\" ${type}[]) PARTITION BY RANGE (\"i d\")",
	"CREATE TABLE " . quote('select', 'le"af') . " PARTITION OF $root FOR VALUES FROM (0) TO (100)",
	"INSERT INTO $root VALUES (1, 'a', '{a,NULL}')";
push @changes, "INSERT INTO $root VALUES (2, 'b', '{b}')", "UPDATE $root SET \"t.t\" = 'b'", "DELETE FROM $root WHERE \"i d\" = 1";

$t->source_sql(join ";\n", @setup);
$t->source_sql('CREATE TABLE public.apart (id int PRIMARY KEY); INSERT INTO apart VALUES (1)');

# ---- every schema by its name

my @include = map { quote($_) . '.*' } @names;
$t->configure({ tables => { include => \@include } });
$t->run_ok('check');
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->all_equal_ok(@tables);
$t->start;
$t->source_sql(join ";\n", @changes);
$t->wait_applied_ok;
is($t->stop, 0, 'it stops');
$t->all_equal_ok(@tables);
$t->run_ok('compare');
is($t->destination_sql("SELECT count(*) FROM pg_tables WHERE tablename = 'apart'"), 0, 'nothing else is copied');
my $status = $t->status;
is_deeply([ sort map { "$_->{source} $_->{state}" } @{ $status->{tables} } ],
	[ sort map { my $name = $_; utf8::decode($name); "$name streaming" } map { bare($_) } @tables ], 'status names them all');
$t->run_ok('drop');

# A name as SQL would show it, quoted only where that is needed.
sub bare
{
	my ($name) = @_;
	return $t->source_sql('SELECT ' . join " || '.' || ", map { "quote_ident('" . s/'/''/gr . "')" }
		map { s/""/"/gr } $name =~ /^"((?:[^"]|"")*)"\."((?:[^"]|"")*)"$/);
}

# ---- patterns

sub selected
{
	my ($include, $exclude) = @_;
	$t->configure({ tables => { include => $include, exclude => $exclude // [] } });
	my $result = $t->sluice('schema');
	return join ' ', sort $result->{stdout} =~ /^CREATE TABLE (.*) \($/mg if $result->{status} == 0;
	return $result->{stderr};
}
$t->destination_sql(join ';', 'BEGIN', (map { 'DROP SCHEMA ' . quote($_) . ' CASCADE' } grep { $_ ne 'user' } @names), 'COMMIT');
$t->source_sql(q{
	CREATE SCHEMA p;
	CREATE TABLE p.plain (id int PRIMARY KEY);
	CREATE TABLE p."Plain" (id int PRIMARY KEY);
	CREATE TABLE p."st*r" (id int PRIMARY KEY);
	CREATE TABLE p.star (id int PRIMARY KEY);
	CREATE TABLE p."a.b" (id int PRIMARY KEY);
	CREATE TABLE p."a_b" (id int PRIMARY KEY);
	CREATE TABLE p."a,b" (id int PRIMARY KEY);
	CREATE TABLE p."q""q" (id int PRIMARY KEY);
	CREATE SCHEMA "P";
	CREATE TABLE "P".plain (id int PRIMARY KEY);
});
is(selected(['p.plain']), '"p"."plain"', 'a name');
is(selected(['P.PLAIN']), '"p"."plain"', 'is folded to lower case');
is(selected(['"P".*']), '"P"."plain"', 'unless it is quoted');
is(selected(['p."Plain"']), '"p"."Plain"', 'the table, too');
is(selected(['p.st*r']), '"p"."st*r" "p"."star"', 'a star matches');
is(selected(['p."st*r"']), '"p"."st*r"', 'but not within quotes');
is(selected(['p.a?b']), '"p"."a,b" "p"."a.b" "p"."a_b"', 'a question mark');
is(selected(['p."a.b"']), '"p"."a.b"', 'a dot');
is(selected(['p."a,b"']), '"p"."a,b"', 'a comma');
is(selected(['p."q""q"']), '"p"."q""q"', 'quotes');
is(selected(['p.*'], ['p.a*', 'p."Plain"', 'p."q""q"']), '"p"."plain" "p"."st*r" "p"."star"', 'exclusion');
is(selected(['p.plain', 'p.*'], ['p.plain']), '"p"."Plain" "p"."a,b" "p"."a.b" "p"."a_b" "p"."q""q" "p"."st*r" "p"."star"', 'exclusion wins');
is(selected(['*.plain']), '"P"."plain" "p"."plain"', 'in any schema');

# ---- other names at the destination

$t->configure({ tables => { include => ['p.*'], overrides => [
	{ source => 'p.plain', target => 'elsewhere.other' },
	{ source => 'p."Plain"', target => '"Else Where"."O.ther ""x"""' },
	{ source => 'p."a.b"', target => 'p."a,b2"' },
] } });
$t->source_sql('INSERT INTO p.plain VALUES (1), (2); INSERT INTO p."Plain" VALUES (3); INSERT INTO p."a.b" VALUES (4)');
$t->run_ok('run', '--until', 'current');
$t->start;
$t->source_sql('INSERT INTO p.plain VALUES (5); UPDATE p."Plain" SET id = 33; DELETE FROM p."a.b"; INSERT INTO p."a.b" VALUES (44);
	INSERT INTO p."a,b" VALUES (9)');
$t->wait_applied_ok;
is($t->stop, 0, 'it stops');
$t->equal_ok('p.plain', target => 'elsewhere.other');
$t->equal_ok('p."Plain"', target => '"Else Where"."O.ther ""x"""');
$t->equal_ok('p."a.b"', target => 'p."a,b2"');
$t->all_equal_ok('p."a,b"', 'p.star', 'p."q""q"');
is($t->destination_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'p' AND tablename IN ('plain', 'Plain', 'a.b')"), 0,
	'nothing under the old names');

done_testing();
