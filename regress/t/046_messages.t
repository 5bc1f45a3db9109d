#!/usr/bin/perl
# Logical messages of others: whatever a role that may only log in emits, nothing
# comes of it at the destination.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(source => { conf => 'logical_decoding_work_mem = 64kB' });

$t->source_sql(q{
	CREATE TABLE victim (id int PRIMARY KEY, secret text, pad text);
	INSERT INTO victim SELECT i, 'secret ' || i FROM generate_series(1, 1000) i;
	CREATE TABLE plain (id int PRIMARY KEY);
	CREATE ROLE forger LOGIN;
});
$t->configure;
$t->run_ok('run', '--until', 'current');
$t->start;
$t->wait_applied_ok;

# The definition changes once, so that an old description and a newer one are known.
$t->source_sql('INSERT INTO victim VALUES (1001); ALTER TABLE victim DROP COLUMN pad; INSERT INTO victim VALUES (1002)');
$t->wait_applied_ok;
my $before = $t->log;
my $copies = $t->destination_sql("SELECT snapshot_lsn FROM sluice.tables ORDER BY 1");

# Emits messages as the role, inside a transaction and outside of any.
my $forged = '';
sub forge
{
	my ($prefix, $content) = @_;
	my $literal = join '', map { sprintf '\\%03o', ord } split //, $content;
	$forged .= "SELECT pg_logical_emit_message($_, '$prefix', '$literal'::bytea);\n" for qw(true false);
}

my $oid = $t->source_sql("SELECT 'victim'::regclass::oid");
for my $content (map({ "$oid=$_" } 0 .. 3, '-', '?', '!'), '~', '*', "~* $oid=0", '=', "$oid", "4294967295=1", "\0\xff")
{
	forge('sluice.definitions', $content);
}

# The bytes of the plugin's own message, and of a whole frame with one.
sub varint { my ($n) = @_; my $out = ''; while ($n > 127) { $out .= chr($n & 127 | 128); $n >>= 7; } return $out . chr $n; }
for my $what ("\0\1", "\0\2", "\1", "\2", "\3", "\4")
{
	my $message = "N\0\1" . varint($oid) . $what;
	forge($_, $message) for 'sluice.definitions', 'sluice', 'N', '';
	forge('sluice', 'S' . pack('CN', 0, length $message) . $message);
}

# In a transaction that is streamed while it is open.
$forged .= "SELECT pg_logical_emit_message(true, 'sluice.definitions', '$oid=0 ' || repeat('x', 200)) FROM generate_series(1, 2000)";
SluiceTest::psql($t->source_conninfo =~ s/user=\S+/user=forger/r, $forged);

$t->source_sql("INSERT INTO victim VALUES (1003, 'kept'); INSERT INTO plain VALUES (1)");
$t->wait_applied_ok;
is($t->destination_sql("SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'victim'::regclass
	AND attnum > 0 AND NOT attisdropped"), 'id,secret', 'the target keeps its columns');
is($t->destination_sql("SELECT snapshot_lsn FROM sluice.tables ORDER BY 1"), $copies, 'no table was copied again');
is($t->log, $before, 'the log says nothing of the messages');
is($t->stop, 0, 'the daemon ran on');
$t->all_equal_ok(qw(public.victim public.plain));

done_testing();
