#!/usr/bin/perl
# Tables whose values have to come as text, since their targets have other types, under names that the stream has them by later.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql("CREATE TABLE $_ (id int PRIMARY KEY, v int); INSERT INTO $_ VALUES (1, 1)") for qw(renamed returned exchanged plain);
$t->destination_sql("CREATE TABLE $_ (id bigint PRIMARY KEY, v text)") for qw(renamed returned exchanged);
$t->configure;
$t->run_ok('run', '--until', 'current');

$t->source_sql('INSERT INTO renamed VALUES (2, 2); ALTER TABLE renamed RENAME TO second; INSERT INTO second VALUES (3, 3);
	ALTER TABLE second RENAME TO third; INSERT INTO third VALUES (4, 4)');
$t->source_sql('BEGIN; ALTER TABLE returned RENAME TO aside; UPDATE aside SET v = 2; ALTER TABLE aside RENAME TO returned; INSERT INTO returned VALUES (2, 2); COMMIT');
$t->source_sql('ALTER TABLE exchanged RENAME TO aside; ALTER TABLE plain RENAME TO exchanged; ALTER TABLE aside RENAME TO plain;
	INSERT INTO exchanged VALUES (2, 2); INSERT INTO plain VALUES (2, 3)');
my $log = $t->run_ok('run', '--until', 'current', { timeout => 60 })->{stderr};
for (qw(third returned exchanged plain))
{
	my $rows = "SELECT string_agg(concat_ws(' ', id, v), ',' ORDER BY id) FROM $_";
	is($t->destination_sql($rows), $t->source_sql($rows), "$_ has the source's rows");
}
is($t->destination_sql(q{SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'third'::regclass AND attnum > 0}),
	'bigint text', 'in the same target');
cmp_ok(scalar(() = $log =~ /needs its values as text/g), '<=', 5, 'once for each name');

done_testing();
