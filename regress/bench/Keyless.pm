# A table without any key, with rows that are equal to others and rows with NULLs, and its changes.
package Keyless;

use strict;
use warnings;

use Bench;

our $table_rows = 2 * $rows;
our $changes = int($rows / 5);
our @kinds = qw(delete update);

sub title { my ($where) = @_; return "Tables without a key on $where: $changes deletes, $changes updates among $table_rows rows"; }

sub make
{
	my ($t, $name) = @_;
	$t->source_sql("
		CREATE TABLE $name (a int, b text, c numeric, at timestamptz);
		ALTER TABLE $name REPLICA IDENTITY FULL;
		INSERT INTO $name
			SELECT a, CASE WHEN i % 7 > 0 THEN 'row ' || a END, a / 7.0, now()
			FROM (SELECT i, CASE WHEN i % 10 > 0 THEN i ELSE i / 1000 * 1000 END a FROM generate_series(1, $table_rows) i) s");
	return;
}

my %statement = (
	delete => sub { "DELETE FROM $_[0]" },
	update => sub { "UPDATE $_[0] SET b = coalesce(b || '!', 'was null'), c = nullif(c, 1) + 1" },
);

# Some rows from all over the table, in one transaction.
sub change
{
	my ($t, $kind, $name, $count) = @_;
	$t->source_sql($statement{$kind}->($name) . " WHERE ctid = ANY (ARRAY(SELECT ctid FROM $name ORDER BY md5(ctid::text) LIMIT $count))");
	return;
}

1;
