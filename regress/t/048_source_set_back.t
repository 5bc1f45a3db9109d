#!/usr/bin/perl
# A source that was restored from a cold copy of itself and has gone past the
# stored position since: same system, same timeline, another history.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my $data = $t->source->data_dir;
my $copy = $t->directory . '/copy';

$t->source_sql(q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t SELECT i, 'first' FROM generate_series(1, 100) i;
});
$t->configure;
$t->run_ok('run', '--until', 'current');
$t->source_sql("INSERT INTO t VALUES (1001, 'before the copy')");
$t->run_ok('run', '--until', 'current');
like($t->sluice('check')->{stdout}, qr/^ok +history .*the last transaction is in the source's log/m, 'the history of a source that goes on');

sub cold
{
	my ($from, $to) = @_;
	$t->source->stop;
	system('rm', '-rf', $to) == 0 && system('cp', '-a', $from, $to) == 0 or die "cannot copy $from";
	$t->source->start;
}

# Restored, with nothing lost that was applied.
cold($data, $copy);
cold($copy, $data);
$t->source_sql("INSERT INTO t VALUES (1002, 'after a harmless restoration')");
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');

# Log of elsewhere, until the server has removed what was applied last.
my $gone = SluiceTest::poll(sub {
	$t->source_sql("SELECT pg_logical_emit_message(false, 'elsewhere', '')");
	$t->source_sql('SELECT pg_switch_wal()');
	$t->source_sql('CHECKPOINT');
	$t->sluice('run', '--until', 'current')->{status} == 0 or die 'run failed';
	$t->sluice('check')->{stdout} =~ /^ok +history .*not known: the source has removed its log/m;
});
ok($gone, 'where the log of it is gone that is said');
$t->source_sql("INSERT INTO t VALUES (1003, 'and it goes on')");
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');

# Restored, and gone past the position.
cold($data, $copy);
$t->source_sql("INSERT INTO t VALUES (2001, 'applied, and lost at the source')");
$t->run_ok('run', '--until', 'current');
my $applied = $t->destination_sql('SELECT applied_lsn FROM sluice.progress');
cold($copy, $data);
$t->source_sql("DO \$\$ BEGIN
	WHILE pg_current_wal_lsn() < '$applied'::pg_lsn + 8192 LOOP
		INSERT INTO t SELECT coalesce(max(id), 0) + 1, 'another history' FROM t;
		COMMIT;
	END LOOP; END \$\$");
my $rows = $t->destination_sql('SELECT count(*) FROM t');
for ([ 'check', 3 ], [ 'run', 1 ])
{
	my ($verb, $status) = @$_;
	$t->fails_like([ $verb ], $status, qr/the source was set back: transaction \d+, which was applied, did not commit at [0-9A-F\/]+ of its log/, $verb);
}
is($t->destination_sql('SELECT count(*) FROM t'), $rows, 'nothing was applied');
$t->run_ok('drop');
$t->configure({ initial_copy => { existing => 'clear' } });
$t->run_ok('run', '--until', 'current');
$t->equal_ok('public.t');

done_testing();
