#!/usr/bin/perl
# Messages name what they are about, and what to do in words that can be executed as they stand: conditions that
# fail at run time, a plugin that is gone under an existing slot, rights that are missing.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes roles');

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE w (id int PRIMARY KEY, q int);
	INSERT INTO w SELECT i, i FROM generate_series(1, 10) i;
	CREATE SCHEMA "Other one";
	CREATE TABLE "Other one".t (id int PRIMARY KEY);
	CREATE ROLE "Reader" LOGIN REPLICATION;
});
$t->destination_sql(q{CREATE ROLE loader LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC});
my $filtered = { tables => { include => ['public.w'], overrides => [ { source => 'public.w', where => '100 / q > 0' } ] } };

# ---- a condition that fails

$t->configure($filtered);
$t->run_ok('run', '--until', 'current');
$t->source_sql('INSERT INTO w VALUES (11, 11), (12, 0)');
$t->fails_like([ 'run', '--until', 'current' ], 1,
	qr{condition "100 / q > 0" of public\.w\b.*[0-9A-F]+/[0-9A-F]+.*; with apply\.refused: hold only this table stops; once that is corrected, "sluice table resync" copies the table again},
	'a condition that fails at run time is named with its table and the LSN');

# ---- a plugin that is gone

sub with_setting
{
	my ($name, $value, $code) = @_;
	$t->source->safe_psql('postgres', "ALTER SYSTEM SET $name = $value");
	$t->source->reload;
	SluiceTest::poll(sub { $t->source_sql("SELECT setting FROM pg_settings WHERE name = '$name'") eq ($value =~ s/'//gr) })
	  or die "$name was not set";
	$code->();
	$t->source->safe_psql('postgres', "ALTER SYSTEM RESET $name");
	$t->source->reload;
}

with_setting('dynamic_library_path', "'/nonexistent'", sub {
	$t->fails_like([ 'run', '--until', 'current' ], 1,
		qr/plugin: source: sluice\.so is not installed on the source's host: install it there with "make install-plugin"/,
		'a plugin that is gone under an existing slot');
});

# ---- rights

my $reader = $t->source_conninfo =~ s/ user=\S+/ user=Reader/r;
my $loader = $t->destination_conninfo =~ s/ user=\S+/ user=loader/r;
$t->configure({ task => 'rights', tables => { include => ['*.*'] }, initial_copy => { existing => 'append' },
	operations => [qw(insert update delete)],
	source => { conninfo => $reader }, destination => { conninfo => $loader } });

# Carries out every GRANT that check asks for, until it passes.
my (%granted, $last);
for (1 .. 5)
{
	$last = $t->sluice('check');
	last if $last->{status} == 0;
	my @grants = map { /(GRANT [^;]*? TO (?:"[^"]+"|\w+))/g } grep { /^failed/ } split /\n/, $last->{stdout};
	for my $grant (grep { !$granted{$_}++ } @grants)
	{
		my $at_source = $grant =~ /TO "Reader"$/;
		my ($status, undef, $words) = SluiceTest::psql_try($at_source ? $t->source_conninfo : $t->destination_conninfo, $grant);
		is($status, 0, $grant) or diag($words);
	}
}
is($last->{status}, 0, 'what check asks for, to the letter, is all that is missing') or diag($last->{stdout});
ok(!!(grep { /^GRANT SELECT ON "Other one"\.t TO "Reader"$/ } keys %granted), 'tables and roles are quoted where needed');
ok(!!(grep { /^GRANT CREATE ON DATABASE \S+ TO loader$/ } keys %granted), 'databases are named');

done_testing();
