#!/usr/bin/perl
# Values that name objects of the server (regclass and its like): a target made with such types keeps them, one that is
# created gets text; both have one spelling, whatever the search path at either end.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $old = $t->destination_is_greenplum6; # knows neither regnamespace nor regrole

my $columns = 'id int PRIMARY KEY, c regclass, t regtype, p regprocedure, o regoperator, d regdictionary';
$t->both_sql(q{CREATE SCHEMA zoo; CREATE TABLE zoo.cage (id int); CREATE DOMAIN zoo.size AS int});
$t->source_sql(qq{CREATE TABLE kept ($columns); CREATE TABLE made ($columns, n regnamespace)});
$t->source_sql('ALTER DATABASE shop SET search_path = zoo, public');
$t->destination_sql("CREATE TABLE kept ($columns)");

my $n = 0;
sub insert
{
	my $sql = '';
	for my $more (['public.kept', ''], ['public.made', ", 'zoo'"])
	{
		my ($table, $namespace) = @$more;
		$sql .= "INSERT INTO $table VALUES (" . ($n + 1) . ", 'zoo.cage', 'zoo.size', 'sin(float8)', '+(int,int)', 'simple'$namespace), (" . ($n + 2) . ", 'pg_class', 'integer[]', 'int4pl(int,int)', NULL, NULL, NULL);"
		  =~ s/, NULL\);$/$namespace ? ', NULL);' : ');'/er;
	}
	$n += 2;
	return $sql;
}

sub values_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->run_ok('run', '--until', 'current');
	my $pairs = $n / 2;
	for my $table (qw(kept made))
	{
		is($t->destination_sql("SET search_path = pg_catalog; SELECT string_agg(DISTINCT c::text || ' ' || t::text || ' ' || p::text, ', ') || ' ' || count(*) FROM public.$table"),
			"pg_class integer[] int4pl(integer,integer), zoo.cage zoo.size sin(double precision) $n", "$name: $table");
	}
}

$t->source_sql(insert());
$t->configure({ tables => { include => [ 'public.kept', 'public.made' ] } });
$t->run_ok('check');
values_ok('copied');
$t->source_sql(insert());
values_ok('streamed');
my $types = q{SELECT string_agg(format_type(atttypid, NULL), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'public.%s'::regclass AND attnum > 1 AND NOT attisdropped};
is($t->destination_sql(sprintf $types, 'kept'), 'regclass regtype regprocedure regoperator regdictionary', 'the types of the one that was there');
is($t->destination_sql(sprintf $types, 'made'), 'text text text text text text', 'and of the one that was made');
$t->run_ok('compare');

# A name that is none of the destination's is refused by row; once it is one the run goes on.
$t->source_sql("CREATE TABLE zoo.tree (id int); INSERT INTO kept (id, c) VALUES (100, 'zoo.tree')");
$t->fails_like([ 'run', '--until', 'current' ], 1, qr/public\.kept: row with id = 100: .*zoo\.tree/, 'a name that the destination lacks');
$t->destination_sql('CREATE TABLE zoo.tree (id int)');
$t->run_ok('run', '--until', 'current');
is($t->destination_sql('SELECT c FROM kept WHERE id = 100'), 'zoo.tree', 'and has now');

done_testing();
