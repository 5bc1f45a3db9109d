#!/usr/bin/perl
# Tables that are held after a change of their definition: for each reason the
# remedy that is printed is carried out to the letter, and the table becomes
# level by itself.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new;
my %schema = (wal => { heartbeat => '1s' });

sub target { return $t->destination_sql($_[0]); }

sub state_of
{
	my ($table) = @_;
	my ($found) = grep { $_->{source} eq $table } @{ $t->status->{tables} };
	return $found // { state => 'gone' };
}

sub held_ok
{
	my ($table, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($table)->{state} eq 'held' && state_of($table)->{error} =~ $pattern }, "$name: held, with a remedy")
	  or diag(explain(state_of($table)));
	return state_of($table)->{error};
}

sub level_ok
{
	my ($table, $name, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->poll_ok(sub { state_of($table)->{state} eq 'streaming' }, "$name: follows again") or diag(explain(state_of($table)));
	$t->equal_ok($table, wait => 1, %options);
}

# Held after what happens at the source; the statements at the end of each reason bring the tables back.
sub remedies_ok
{
	my (@cases) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$t->source_sql(join ";\n", map { $_->{sql} } @cases);
	for my $case (@cases)
	{
		my $error = held_ok("public.$case->{table}", $case->{pattern} // qr/do what it needs: /, $case->{name});
		($case->{remedy}) = $error =~ /do what it needs: (.*); when the target/;
	}
	for my $case (@cases)
	{
		target($case->{before}) if $case->{before};
		target($case->{remedy});
		pass("$case->{name}: done: $case->{remedy}");
	}
	level_ok($_->{becomes} // "public.$_->{table}", $_->{name}) for @cases;
}

my @names = qw(added retyped renamed retitled nulled unkeyed moved own viewed widened gone heir);
$t->source_sql(join ";\n", map { "CREATE TABLE $_ (id int PRIMARY KEY, a text NOT NULL, b int NOT NULL);
	INSERT INTO $_ SELECT i, 'a' || i, i FROM generate_series(1, 20) i" } @names, 'chosen');
target('CREATE TABLE chosen (id int PRIMARY KEY, a text, b numeric)');
$t->configure({ %schema, schema => { changes => 'stop' } });
$t->run_ok('run', '--until', 'current')->{status} == 0 or die 'the initial copy failed';
$t->start;
$t->wait_applied_ok('stop: the program runs');

subtest 'the primary key moved at both ends in the same way' => sub {
	my $copies = () = $t->log =~ /copied public\.moved/g;
	target('ALTER TABLE moved DROP CONSTRAINT moved_pkey');
	target('ALTER TABLE moved ADD CONSTRAINT other_name PRIMARY KEY (id, b)');
	$t->source_sql('ALTER TABLE moved DROP CONSTRAINT moved_pkey, ADD PRIMARY KEY (id, b); INSERT INTO moved VALUES (1, \'again\', 99); UPDATE moved SET a = \'x\' WHERE id = 3');
	$t->wait_applied_ok('it is not held');
	is(state_of('public.moved')->{state}, 'streaming', 'status says so');
	$t->equal_ok('public.moved');
	is(scalar(() = $t->log =~ /copied public\.moved/g), $copies, 'nor copied again');
};

target('ALTER TABLE own ADD COLUMN mine int');
remedies_ok(
	{ name => 'stop: a column', table => 'added', sql => q{ALTER TABLE added ADD COLUMN c int NOT NULL DEFAULT 7; INSERT INTO added VALUES (100, 'x', 1, 2)} },
	{ name => 'stop: a type', table => 'retyped', sql => q{ALTER TABLE retyped ALTER b TYPE bigint; UPDATE retyped SET b = 5000000000} },
	{ name => 'stop: a column\'s name', table => 'renamed', sql => q{ALTER TABLE renamed RENAME a TO aa; UPDATE renamed SET aa = 'x' WHERE id = 1} },
	{ name => 'stop: a table\'s name', table => 'retitled', becomes => 'public.untitled', sql => q{ALTER TABLE retitled RENAME TO untitled; INSERT INTO untitled VALUES (30, 'x', 1)} },
	{ name => 'stop: NULL', table => 'nulled', sql => q{ALTER TABLE nulled ALTER a DROP NOT NULL; INSERT INTO nulled VALUES (30, NULL, 1)} },
	{ name => 'stop: no key any more', table => 'unkeyed', sql => q{ALTER TABLE unkeyed REPLICA IDENTITY FULL, DROP CONSTRAINT unkeyed_pkey; INSERT INTO unkeyed VALUES (3, 'x', 1); UPDATE unkeyed SET a = 'y' WHERE b = 3} },
	{ name => 'stop: a name that the target has', table => 'own', pattern => qr/which the target has already: do/, sql => q{ALTER TABLE own RENAME b TO mine; UPDATE own SET mine = 5 WHERE id = 1} },
	{ name => 'stop: a type that the target has not', table => 'chosen', pattern => qr/the target's is numeric: do/, sql => q{ALTER TABLE chosen ALTER b TYPE text; UPDATE chosen SET b = 'text' WHERE id = 1} });

# Once the drop is known, the target of the dropped table gives way to the remedy.
$t->source_sql(q{DROP TABLE gone; ALTER TABLE heir RENAME TO gone; INSERT INTO gone VALUES (30, 'x', 1)});
my ($rename) = held_ok('public.heir', qr/do what it needs: /, 'stop: the name of a dropped table') =~ /do what it needs: (.*); when the target/;
$t->poll_ok(sub { target(q{SELECT to_regclass('gone') IS NULL}) eq 't' }, 'stop: the name of a dropped table: it is free');
target($rename);
level_ok('public.gone', 'stop: the name of a dropped table');
is($t->stop, 0, 'stop: the program ends');

$t->configure({ %schema, schema => { changes => 'ignore' } });
$t->start;
remedies_ok({ name => 'ignore: a type', table => 'widened', sql => q{ALTER TABLE widened ALTER b TYPE bigint; UPDATE widened SET b = 5000000000} });
is($t->stop, 0, 'ignore: the program ends');

# What the destination refuses.
$t->configure(\%schema);
target('CREATE VIEW v AS SELECT b FROM viewed');
$t->start;
remedies_ok({ name => 'refused', table => 'viewed', before => 'DROP VIEW v', sql => q{ALTER TABLE viewed DROP COLUMN b; INSERT INTO viewed VALUES (50, 'x')},
	pattern => qr/cannot drop.*: remove there what is in the way: do what it needs: / });

# What the configuration speaks of.
is($t->stop, 0, 'the program ends');
my @columns = qw(id a);
my $override = { source => 'public.added', columns => \@columns };
$t->source_sql('CREATE TABLE configured (id int PRIMARY KEY, a text); INSERT INTO configured VALUES (1, \'x\')');
my $configured = sub { $t->configure({ %schema, tables => { overrides => [ { source => 'public.configured', columns => [ 'id', @_ ] } ] } }) };
$configured->('a');
$t->start;
level_ok('public.configured', 'configured');
$t->source_sql('ALTER TABLE configured RENAME a TO aa; INSERT INTO configured VALUES (2, \'y\')');
held_ok('public.configured', qr/tables\.overrides in the configuration speaks of it: correct that there/, 'configured');
$configured->('aa');
$t->run_ok('reload');
level_ok('public.configured', 'configured');
is($t->stop, 0, 'configured: the program ends');

# Rows that may not be cleared.
for my $case ([ { mode => 'none' }, { mode => 'full' }, qr/initial_copy\.mode is none: with full the table is copied again/ ],
	[ { existing => 'append' }, { existing => 'clear' }, qr/initial_copy\.existing is append: with clear the table is copied again/ ])
{
	my ($before, $after, $pattern) = @$case;
	my ($what) = %$before;
	my %task = (%schema, task => "kept_$what", tables => { include => ["public.kept_$what"] });
	$t->both_sql("CREATE TABLE kept_$what (id int PRIMARY KEY, b int)");
	$t->configure({ %task, initial_copy => $before });
	$t->run_ok('run', '--until', 'current');
	$t->start;
	$t->source_sql("INSERT INTO kept_$what VALUES (1, 1); ALTER TABLE kept_$what ALTER b TYPE int USING b + 1");
	held_ok("public.kept_$what", $pattern, $what);
	$t->configure({ %task, initial_copy => $after });
	$t->run_ok('reload');
	level_ok("public.kept_$what", $what);
	is($t->stop, 0, "$what: the program ends");
}

# Rows that share their target with those of others.
$t->source_sql(join ';', map { "CREATE TABLE half_$_ (id int PRIMARY KEY, b int); INSERT INTO half_$_ VALUES ($_, 0)" } 1, 2);
$t->configure({ %schema, task => 'shared', tables => { include => [ 'public.half_1', 'public.half_2' ],
	overrides => [ map { { source => "public.half_$_", target => 'public.whole', operations => [qw(insert update delete)] } } 1, 2 ] }, initial_copy => { existing => 'append' } });
$t->run_ok('run', '--until', 'current');
$t->start;
$t->source_sql('ALTER TABLE half_1 ALTER b TYPE int USING b + 1; INSERT INTO half_2 VALUES (20, 0)');
held_ok('public.half_1', qr/other tables feed the target, too: .*"sluice table remove"/, 'shared');
$t->run_ok('table', 'remove', 'public.half_1');
target('DELETE FROM whole WHERE id = 1');
$t->run_ok('table', 'add', 'public.half_1');
$t->poll_ok(sub { target('SELECT string_agg(id || \':\' || b, \' \' ORDER BY id) FROM whole') eq '1:1 2:0 20:0' }, 'shared: copied again');
$t->poll_ok(sub { state_of('public.half_1')->{state} eq 'streaming' }, 'shared: follows again');
is($t->stop, 0, 'shared: the program ends');

done_testing();
