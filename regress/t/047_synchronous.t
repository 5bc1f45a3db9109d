#!/usr/bin/perl
# A source whose commits would wait for the task is refused by name: they would
# wait for each other.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE t (id int PRIMARY KEY)');
$t->configure;

# Sessions of the test itself do not wait for standbys.
$t->source_sql("ALTER DATABASE shop SET synchronous_commit = local");

sub set
{
	my ($names) = @_;
	$t->source_sql("ALTER SYSTEM SET synchronous_standby_names = '$names'");
	$t->source->reload;
	$t->poll_ok(sub { $t->source_sql('SHOW synchronous_standby_names') eq $names }, "the setting is '$names'");
}

for my $names ('*', 'FIRST 1 (other, "sluice")')
{
	set($names);
	$t->fails_like(['check'], 3, qr/synchronous_standby_names \(\Q$names\E\) lets commits wait for "sluice"/, "check with $names");
	$t->fails_like(['run'], 3, qr/synchronous_standby_names \(\Q$names\E\) lets commits wait for "sluice"/, "run with $names");
}

# The remedies: another name for the task, or another list.
$t->configure({ source => { conninfo => $t->source_conninfo . ' application_name=task' } });
$t->run_ok('check');
set('other');
$t->configure;
$t->run_ok('run', '--until', 'current');
$t->source_sql('INSERT INTO t VALUES (1)');

# A task that is under way.
set('*');
$t->fails_like(['check'], 3, qr/lets commits wait for "sluice"/, 'check of a task that has begun');
set('');
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');

done_testing();
