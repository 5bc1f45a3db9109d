#!/usr/bin/perl
# One table's trouble is its own: tables that cannot be taken in wait, tables
# that lose what they are followed by are held, and the others go on.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
$t->source_sql(q{
	CREATE TABLE others (id int PRIMARY KEY, v text);
	CREATE TABLE keyed (id int PRIMARY KEY, v text);
	CREATE TABLE plain (v text); ALTER TABLE plain REPLICA IDENTITY FULL;
	CREATE TABLE owned (id int PRIMARY KEY, v text); ALTER TABLE owned REPLICA IDENTITY FULL;
	CREATE SCHEMA extra; CREATE TABLE extra.named (id int PRIMARY KEY);
	INSERT INTO others VALUES (1, 'a'); INSERT INTO keyed VALUES (1, 'a'); INSERT INTO plain VALUES ('a'), ('a');
	INSERT INTO owned VALUES (1, 'a'), (2, 'a'); INSERT INTO extra.named VALUES (1);
});
my %changes = (tables => { include => [ 'public.*', 'extra.named' ] });
$t->configure({%changes});

sub state_of
{
	my ($name) = @_;
	my ($table) = grep { $_->{source} eq $name } @{ $t->status->{tables} };
	return $table ? $table->{state} . ($table->{error} ? ": $table->{error}" : '') : 'none';
}

sub becomes_ok
{
	my ($name, $pattern, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($name) =~ $pattern }, $what // "$name: $pattern") or diag(state_of($name));
}

my $round = 1;
sub others_go_on_ok
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$round++;
	$t->source_sql("INSERT INTO others VALUES ($round, 'x'); UPDATE others SET v = 'y' || $round WHERE id < $round");
	$t->wait_applied_ok("$when, the others go on");
	$t->equal_ok('public.others');
}

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'it streams');

# What its checks find must not be forgotten by the next look for new tables, which would begin the session again each time.
subtest 'a new table whose target has rows' => sub {
	$t->destination_sql('CREATE TABLE filled (id int PRIMARY KEY); INSERT INTO filled VALUES (7)');
	$t->source_sql('CREATE TABLE filled (id int PRIMARY KEY); INSERT INTO filled VALUES (1)');
	becomes_ok('public.filled', qr/^waiting: contents: it is not empty/, 'status shows why it waits');
	$t->source_sql('CREATE TABLE next (id int PRIMARY KEY)');
	becomes_ok('public.next', qr/^streaming$/, 'another that is found later is taken in');
	is_deeply([ $t->log =~ /(\d+ new tables?) at the source/g ], ['1 new table'], 'it alone');
	others_go_on_ok('meanwhile');
	is(() = $t->log =~ /public\.filled waits/g, 1, 'the log says it once');
	$t->destination_sql('TRUNCATE filled');
	becomes_ok('public.filled', qr/^streaming$/, 'it is taken in when its target is empty');
	$t->equal_ok('public.filled', wait => 1);
};

subtest 'a new table that cannot be taken in' => sub {
	$t->source_sql('CREATE TABLE bare (id int); INSERT INTO bare VALUES (1); CREATE TABLE fit (id int PRIMARY KEY)');
	becomes_ok('public.fit', qr/^streaming$/, 'one that fits is taken in');
	becomes_ok('public.bare', qr/^waiting: identity: it has no replica identity/, 'status shows why the other waits');
	others_go_on_ok('meanwhile');
	my @said = $t->log =~ /public\.bare waits/g;
	is(@said, 1, 'the log says it once');
	$t->source_sql('ALTER TABLE bare ADD PRIMARY KEY (id); INSERT INTO bare VALUES (2)');
	becomes_ok('public.bare', qr/^streaming$/, 'it is tried again at each heartbeat');
	$t->equal_ok('public.bare', wait => 1);
};

subtest 'a table that loses its key' => sub {
	$t->source_sql("ALTER TABLE keyed DROP CONSTRAINT keyed_pkey; INSERT INTO keyed VALUES (2, 'b'); CREATE TABLE later (id int PRIMARY KEY)");
	becomes_ok('public.keyed', qr/^held: .*replica identity/, 'is held');
	becomes_ok('public.later', qr/^streaming$/, 'and keeps no new table out');
	others_go_on_ok('with a held table');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'a start works');
	like(state_of('public.keyed'), qr/^held/, 'it is still held');
	$t->source_sql('ALTER TABLE keyed ADD PRIMARY KEY (id)');
	becomes_ok('public.keyed', qr/^streaming$/, 'with a key it is copied again');
	$t->equal_ok('public.keyed', wait => 1);
};

subtest 'a table that loses the key which its target needs' => sub {
	my $lost = qr/^held: an update would lose the values of own, since public\.owned has no key .*"key" of tables\.overrides, give it a primary key, .* copied again by itself$/;
	$t->destination_sql(q{ALTER TABLE owned ADD COLUMN own text DEFAULT 'mine'; UPDATE owned SET own = 'kept'});
	$t->source_sql(q{ALTER TABLE owned DROP CONSTRAINT owned_pkey; UPDATE owned SET v = 'b' WHERE id = 1});
	becomes_ok('public.owned', $lost, 'is held');
	others_go_on_ok('meanwhile');
	is($t->destination_sql(q{SELECT string_agg(v || own, ',') FROM owned}), 'akept,akept', 'the values of the column are kept');
	$t->source_sql('ALTER TABLE owned ADD PRIMARY KEY (id)');
	becomes_ok('public.owned', qr/^streaming$/, 'with a key it is copied again');
	$t->equal_ok('public.owned', columns => [qw(id v)], wait => 1);
	$t->source_sql('ALTER TABLE owned DROP CONSTRAINT owned_pkey');
	$t->wait_applied_ok('without a change of its rows it goes on');
	is($t->stop, 0, 'SIGTERM ends it with 0');
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'a start works');
	becomes_ok('public.owned', $lost, 'and holds it');
	$t->destination_sql('ALTER TABLE owned DROP COLUMN own');
	becomes_ok('public.owned', qr/^streaming$/, 'without the column it is copied again');
	$t->equal_ok('public.owned', wait => 1);
};

subtest 'a table that loses its last column' => sub {
	$t->source_sql('ALTER TABLE plain DROP COLUMN v; INSERT INTO plain DEFAULT VALUES; CREATE TABLE still (id int PRIMARY KEY)');
	becomes_ok('public.plain', qr/^held: /, 'is held');
	becomes_ok('public.still', qr/^streaming$/, 'and keeps no new table out');
	others_go_on_ok('with another held table');
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

# While nobody follows.
subtest 'at a start' => sub {
	$t->source_sql(q{DROP TABLE plain; ALTER TABLE later DROP CONSTRAINT later_pkey; INSERT INTO later VALUES (7);
		CREATE TABLE unfit (id int); CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (1); DROP TABLE extra.named});
	$t->fails_like([ 'run', '--until', 'current' ], 1, qr/^sluice: public\.(later is held|unfit waits): /, 'a run brings the others level, and names one');
	$t->all_equal_ok('public.others', 'public.fine');
	like(state_of('public.unfit'), qr/^waiting: identity/, 'one that is new waits');
	like(state_of('public.later'), qr/^held: .*replica identity/, 'one that lost its key is held');
	is(state_of('extra.named'), 'none', 'one that is named by the configuration and was dropped is forgotten');
	like($t->sluice('check')->{stdout}, qr/^warning +selection +extra\.named: there is no such table at the source/m, 'check warns of it');
	$t->source_sql('ALTER TABLE unfit ADD PRIMARY KEY (id); ALTER TABLE later ADD PRIMARY KEY (id); CREATE TABLE extra.named (id int PRIMARY KEY, n int)');
	$t->destination_sql('DROP TABLE extra.named');
	$t->run_ok('run', '--until', 'current') for 1 .. 2;
	$t->all_equal_ok('public.others', 'public.unfit', 'public.later', 'extra.named');
	is(state_of('public.unfit'), 'streaming', 'nothing is left of the reason');
};

subtest 'a first start' => sub {
	$t->run_ok('drop');
	$t->source_sql('CREATE SCHEMA vacant');
	$t->configure({ tables => { include => [ 'public.others', 'vacant.there' ] }, initial_copy => { existing => 'clear' } });
	$t->fails_like([ 'run', '--until', 'current' ], 3, qr/selection: vacant\.there: there is no such table at the source/, 'a name that is not there');
	$t->configure({ tables => { include => ['vacant.*'] } });
	$t->start;
	$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'patterns that match nothing yet: it streams');
	$t->source_sql('CREATE TYPE mood AS ENUM (\'a\'); ALTER TYPE mood ADD VALUE \'b\'; CREATE TABLE vacant.first (id int PRIMARY KEY); INSERT INTO vacant.first VALUES (1)');
	becomes_ok('vacant.first', qr/^streaming$/, 'what appears is taken in');
	$t->equal_ok('vacant.first', wait => 1);
	is($t->stop, 0, 'SIGTERM ends it with 0');
};

done_testing();
