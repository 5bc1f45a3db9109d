#!/usr/bin/perl
# Greenplum has one SQLSTATE, XX000, for a segment that was lost at the wrong moment and for what it cannot do at all;
# and locks that only a segment knows of.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
plan skip_all => 'needs a Greenplum destination' unless $t->destination_is_greenplum;
$t->source_sql(q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	INSERT INTO t VALUES (1, 'one');
	CREATE TABLE u (id int PRIMARY KEY);
});
$t->destination_sql(q{
	CREATE FUNCTION fail_on(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
		BEGIN IF v = 'bad' THEN RAISE 'internal trouble' USING ERRCODE = 'XX000'; END IF; RETURN true; END $$;
	CREATE TABLE t (id int PRIMARY KEY, v text CHECK (public.fail_on(v))) DISTRIBUTED BY (id);
});
$ENV{SLUICE_TEST_STALL} = '400,1600';	# instead of a minute and ten
$t->configure;
$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

my ($content, $host, $port) = split /\|/, $t->destination_sql(q{
	SELECT content, address, port FROM gp_segment_configuration WHERE content = (SELECT gp_segment_id FROM t WHERE id = 1) AND role = 'p'});
my $role = $t->destination_is_greenplum6 ? 'gp_session_role' : 'gp_role';
my $segment = $t->destination_conninfo =~ s/\b(?:host|port)=\S+//gr . " host=$host port=$port options='-c $role=utility'";
my $held = SluiceTest::hold($segment, 'LOCK TABLE t IN ACCESS EXCLUSIVE MODE');
$t->source_sql(q{UPDATE t SET v = 'changed' WHERE id = 1});
$t->poll_ok(sub { $t->log =~ /the destination has waited for \d+ s for a lock that is held by a transaction of segment $content that no session has/ },
	'a lock that only a segment knows of is named');
SluiceTest::release($held);
$t->wait_applied_ok('the batch is applied once the lock is free');
$t->source_sql(q{INSERT INTO t VALUES (2, 'bad')});
is($t->wait_for_end, 1, 'the same internal error again and again ends the run');
my @tries = $t->log =~ /internal trouble.*trying again in ([\d.]+) s/g;
is(scalar @tries, 4, 'after four times');
cmp_ok($tries[3], '>', $tries[0], 'with growing pauses');
like($t->log, qr/sluice: .*5 times the same batch, while all segments answer: .*internal trouble/, 'the last line says so');

# With apply.refused: hold the last attempt holds the table, and the others go on.
$t->configure({ apply => { refused => 'hold' } });
$t->start;
my $table;
$t->poll_ok(sub { ($table) = grep { $_->{source} eq 'public.t' } @{ $t->status->{tables} }; $table->{state} eq 'held' }, 'the table is held');
like($table->{error}, qr/id = 2.*internal trouble/, 'with its row');
$t->source_sql(q{INSERT INTO u VALUES (1); INSERT INTO t VALUES (3, 'good')});
$t->equal_ok('u', wait => 1);
is($t->stop, 0, 'and the run goes on');

done_testing();
