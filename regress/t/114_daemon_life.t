#!/usr/bin/perl
# The life of a daemon: what it does between two attempts, what it says of
# itself meanwhile, and what others may do to its task.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql('CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, \'1\'), (2, \'2\')');
$t->configure({ log => { level => 'debug' } });

sub count_of { my ($pattern) = @_; my @found = $t->log =~ /$pattern/g; return scalar @found; }

sub streams_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, $name // 'it streams');
}

subtest 'a planned restart is no failure' => sub {
	$t->start;
	streams_ok;
	$t->source_sql(q{ALTER TABLE t ALTER v TYPE int USING v::int + 10; INSERT INTO t VALUES (3, 3)});
	$t->wait_applied_ok;
	$t->poll_ok(sub { $t->destination_sql("SELECT state FROM sluice.tables WHERE source_name = 't'") eq 'streaming' },
		'the rewritten table was copied again');
	$t->equal_ok('public.t');
	unlike($t->log, qr/trying again/, 'without a pause');
	like($t->log, qr/session: connecting -> preparing.*session: preparing -> copying.*session: copying -> streaming/s,
		'the trace names the states');
	like($t->log, qr/session: streaming -> connecting/, 'of the restart, too');
	like($t->log, qr/attempt: checking: done after \d+ ms.*attempt: streaming: failed after \d+ ms/s, 'and the steps of an attempt');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	like($t->log, qr/session: \w+ -> stopped/, 'which the trace says');
};

done_testing();
