#!/usr/bin/perl
# Each sql/NAME.sql, run by psql in a database of its own, must print
# expected/NAME.out.  "-- from version N" at the beginning keeps a script from
# older servers.  What it printed instead is kept in the test's log folder.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $here = $FindBin::RealBin;
my $t = SluiceTest->new(destination => 0, source => { conf => "
	max_prepared_transactions = 5
	timezone = 'Europe/Berlin'
" });

sub read_file
{
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file> // '';
}

# The output with statements and messages, as a person at psql would see it.
sub psql_output
{
	my ($conninfo, $script) = @_;
	my $out = '';
	local $ENV{PGCLIENTENCODING} = 'UTF8';
	local $ENV{LC_ALL} = 'C';
	IPC::Run::run([ 'psql', '-XaqtA', '-d', $conninfo, '-f', $script ],
		'>&', \$out, IPC::Run::timeout($SluiceTest::deadline_s * 2));
	$out =~ s/^psql:\S+?:\d+: //mg;
	return $out;
}

for my $script (sort glob "$here/sql/*.sql")
{
	my ($name) = $script =~ m{([^/]+)\.sql$};
	next if read_file($script) =~ /^-- from version (\d+)/ && $t->source->{_pg_version} < $1;
	my $conninfo = $t->source->connstr("t_$name");
	$t->source_sql("CREATE DATABASE t_$name");
	SluiceTest::psql($conninfo, read_file("$here/setup.sql"));
	my $printed = psql_output($conninfo, $script);
	my $kept = "$PostgreSQL::Test::Utils::log_path/$name.out";
	open my $file, '>', $kept or die "cannot write $kept: $!";
	print $file $printed;
	close $file;
	my $same = ok($printed eq read_file("$here/expected/$name.out"), "$name prints what is expected");
	diag(`diff -U3 "$here/expected/$name.out" "$kept"`) unless $same;
}

done_testing();
