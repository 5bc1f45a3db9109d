#!/usr/bin/perl
# Conditions on rows in the plugin itself: what a change means to a client that
# has just the rows that match.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0);
$t->source_sql(q{
	CREATE TABLE by_key (id int PRIMARY KEY, region text);
	CREATE TABLE whole (id int PRIMARY KEY, region text);
	CREATE TABLE nothing (id int, region text);
	CREATE TABLE "Odd=T'able" (id int PRIMARY KEY);
	CREATE TABLE other (id int);
	ALTER TABLE whole REPLICA IDENTITY FULL;
	SELECT pg_create_logical_replication_slot('filters', 'sluice');
});

# The lines about rows, without types.
sub changes
{
	my ($call, @options) = @_;
	my $options = join ', ', map { "'" . s/'/''/gr . "'" } 'format', 'text', @options;
	my $text = $t->source_sql("SELECT data FROM pg_logical_slot_${call}_changes('filters', NULL, NULL, $options)");
	return join "\n", map { s/^table public\.//r =~ s/\[\w+\]//gr } grep { /^table / } split /\n/, $text;
}

my $in_europe = q{='region = ''EU'''};
my $filters = join ', ', map { "public.$_$in_europe" } qw(by_key whole nothing);

sub decodes
{
	my ($sql, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->source_sql($sql);
	is(changes('get', filters => $filters), $expected, $name);
}

decodes(q{INSERT INTO by_key VALUES (1, 'EU'), (2, 'US'), (3, NULL); INSERT INTO whole SELECT * FROM by_key; INSERT INTO nothing SELECT * FROM by_key; INSERT INTO other VALUES (1)}, <<'.' =~ s/\n\z//r, 'inserts');
by_key: INSERT: id:1 region:'EU'
whole: INSERT: id:1 region:'EU'
nothing: INSERT: id:1 region:'EU'
other: INSERT: id:1
.
decodes(q{UPDATE by_key SET region = CASE id WHEN 1 THEN 'US' WHEN 2 THEN 'EU' END}, <<'.' =~ s/\n\z//r, 'updates, old rows known by their key');
by_key: DELETE: old-key: id:1
by_key: UPDATE: id:2 region:'EU'
by_key: DELETE: old-key: id:3
.
decodes(q{UPDATE by_key SET id = -id; UPDATE by_key SET id = -id, region = 'EU' WHERE id = -1}, <<'.' =~ s/\n\z//r, 'and of other keys');
by_key: DELETE: old-key: id:1
by_key: UPDATE: old-key: id:2 new-tuple: id:-2 region:'EU'
by_key: DELETE: old-key: id:3
by_key: UPDATE: old-key: id:-1 new-tuple: id:1 region:'EU'
.
decodes(q{UPDATE whole SET region = CASE id WHEN 1 THEN 'US' WHEN 2 THEN 'EU' END; UPDATE whole SET id = 20 WHERE id = 2; DELETE FROM whole WHERE id IN (1, 20)}, <<'.' =~ s/\n\z//r, 'old rows known as a whole');
whole: DELETE: old-tuple: id:1 region:'EU'
whole: INSERT: id:2 region:'EU'
whole: UPDATE: old-tuple: id:2 region:'EU' new-tuple: id:20 region:'EU'
whole: DELETE: old-tuple: id:20 region:'EU'
.
decodes(q{UPDATE nothing SET region = 'US' WHERE id = 1; UPDATE nothing SET region = 'EU' WHERE id = 2; DELETE FROM nothing WHERE id = 3}, <<'.' =~ s/\n\z//r, 'old rows not known');
nothing: DELETE: (no-identity)
nothing: UPDATE: (no-identity) new-tuple: id:2 region:'EU'
nothing: DELETE: (no-identity)
.

# The key tells: exact, with the key alone.
$t->source_sql(q{INSERT INTO by_key VALUES (11), (12); UPDATE by_key SET region = 'x' WHERE id > 10; UPDATE by_key SET id = id + 1 WHERE id = 12; UPDATE by_key SET id = id + 3 WHERE id = 11; UPDATE by_key SET id = id + 2 WHERE id = 14; DELETE FROM by_key WHERE id > 10});
is(changes('get', filters => "public.by_key='id % 2 = 0'"), <<'.' =~ s/\n\z//r, 'a condition on the key');
by_key: INSERT: id:12 region:null
by_key: UPDATE: id:12 region:'x'
by_key: DELETE: old-key: id:12
by_key: INSERT: id:14 region:'x'
by_key: UPDATE: old-key: id:14 new-tuple: id:16 region:'x'
by_key: DELETE: old-key: id:16
.

# Operations are those that a change amounts to.
$t->source_sql(q{INSERT INTO whole VALUES (30, 'US'), (31, 'EU'); UPDATE whole SET region = CASE region WHEN 'EU' THEN 'US' ELSE 'EU' END WHERE id >= 30});
is(changes('peek', filters => $filters, operations => 'delete'), "whole: DELETE: old-tuple: id:31 region:'EU'", 'deletes alone');
is(changes('get', filters => $filters, operations => 'insert'), "whole: INSERT: id:31 region:'EU'\nwhole: INSERT: id:30 region:'EU'", 'inserts alone');

# Definitions change: a condition follows its column's name.
$t->source_sql(q{INSERT INTO "Odd=T'able" VALUES (1); ALTER TABLE "Odd=T'able" ADD COLUMN a int DEFAULT 5; INSERT INTO "Odd=T'able" VALUES (2); ALTER TABLE "Odd=T'able" ALTER a TYPE text; INSERT INTO "Odd=T'able" VALUES (3, '6')});
is(changes('peek', filters => q{ public."Odd=T'able" = 'id > 1' }), qq{"Odd=T'able": INSERT: id:2 a:5\n"Odd=T'able": INSERT: id:3 a:'6'}, 'odd names');
sub fails
{
	my ($value, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $quoted = $value =~ s/'/''/gr;
	my ($status, undef, $err) = SluiceTest::psql_try($t->source_conninfo, "SELECT data FROM pg_logical_slot_peek_changes('filters', NULL, NULL, 'format', 'text', 'filters', '$quoted')");
	isnt($status, 0, "$name: refused");
	like($err, $pattern, "$name: says why");
}
fails(q{public."Odd=T'able"='a > ''5'''}, qr/the condition of public\.Odd=T'able cannot be used: column "a" does not exist/, 'a column that was not there yet');
fails(q{public."Odd=T'able"='id'}, qr/cannot be used: argument of WHERE must be type boolean/, 'no condition');
fails(q{public."Odd=T'able"='random() > 0.5'}, qr/cannot be used: it calls functions that are not immutable/, 'a function that is not immutable');
fails(q{public."Odd=T'able"='id > (SELECT 1)'}, qr/cannot be used: cannot use subquery/, 'a subquery');
fails(q{public."Odd=T'able"='id > 0) OR (id < 0'}, qr/cannot be used: syntax error/, 'parentheses that are not its own');
fails(q{public."Odd=T'able"='id > 0) FROM (SELECT 1 AS id'}, qr/cannot be used: /, 'a query');
fails(q{public."Odd=T'able"=''}, qr/cannot be used: it is not one expression/, 'nothing');
fails('public.a', qr/In the list of filters, a table's name is not followed by =/, 'no condition at all');
fails('public.a=id > 0', qr/a condition is not in single quotes/, 'no quotes');
fails("public.a='id > 0", qr/a condition's quotes are not closed/, 'open quotes');
fails("public.*='id > 0'", qr/a table's name has wildcards/, 'a pattern');
fails("public.a='id > 0' public.b='id > 0'", qr/something follows a condition/, 'no comma');
fails("a='id > 0'", qr/In the list of filters/, 'no schema');
$t->source_sql("SELECT pg_drop_replication_slot('filters')");

done_testing();
