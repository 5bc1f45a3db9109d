#!/usr/bin/perl
# Databases in other encodings than UTF8: binary output is UTF-8 all the same, the text form is in the database's encoding.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib", "$FindBin::RealBin/lib";
use Frames;
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0);
my ($ae, $euro) = ("\xc3\xa4", "\xe2\x82\xac");

sub from
{
	my ($encoding) = @_;
	$t->source->safe_psql('postgres', "CREATE DATABASE $encoding ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$t->{source}{conninfo} = $t->source->connstr(lc $encoding) . ' user=postgres';
	$t->source_sql("SELECT pg_create_logical_replication_slot(lower('$encoding'), 'sluice')");
}

sub peek
{
	my ($encoding, $kind, $options) = @_;
	my $data = $kind eq 'binary_' ? "encode(data, 'hex')" : 'data';
	return split /\n/, $t->source_sql("SELECT $data FROM pg_logical_slot_peek_${kind}changes(lower('$encoding'), NULL, NULL, 'messages', 'on'" . ($options // '') . ')');
}

sub messages
{
	my $relations = {};
	return map { read_messages($relations, $_->{body}) } map { split_frames(pack 'H*', $_) } @_;
}

sub values_of
{
	return map { my $new = $_->{new}; join ',', map { "$_=" . ($new->{$_} // '') } sort keys %$new } grep { $_->{kind} eq 'I' } @_;
}

from('WIN1252');
$t->source_sql(qq{CREATE TABLE "t$ae" (id text PRIMARY KEY, "v$euro" text, j json, a text[]);
	CREATE TABLE other (id text PRIMARY KEY);
	INSERT INTO "t$ae" VALUES ('$ae', '$euro', '["$euro"]', NULL);
	SELECT pg_logical_emit_message(true, 'p$ae', 'c'); SELECT pg_logical_emit_message(false, 'p$ae', 'c');
	INSERT INTO "t$ae" VALUES (chr(129), '$ae' || chr(129), NULL, NULL)});
my @messages = messages(peek('WIN1252', 'binary_'));
is($messages[0]{encoding}, 'UTF8', 'the startup message names the encoding of what is sent');
my ($relation) = grep { $_->{kind} eq 'R' } @messages;
is($relation->{relation}{name}, "t$ae", 'names');
my @rows = values_of(@messages);
like($rows[0], qr/id=$ae.*v$euro=$euro/, 'values');
like($rows[0], qr/j=\["$euro"\]/, 'values of types with text in them');
is($rows[1] =~ /v$euro=([^,]*)/ && unpack('H*', $1), 'e481ff', 'a character that UTF-8 lacks is sent as it is stored, with a byte behind it that is no UTF-8');
is_deeply([ map { $_->{prefix} } grep { $_->{kind} eq 'M' } @messages ], [ "p$ae", "p$ae" ], 'prefixes of messages');

my $text = join "\n", peek('WIN1252', '', ", 'format', 'text'");
like($text, qr/table public\."t$ae": INSERT: id\[text\]:'$ae' "v$euro"\[text\]:'$euro'/, 'the text form');
like($text, qr/id\[text\]:E'\\x81\\xFF'/, 'the text form of it');
is(scalar(values_of(messages(peek('WIN1252', 'binary_', ", 'tables', 'public.t?'")))), 2, 'a pattern with a wildcard for such a letter');
sub literal { return "'" . $_[0] =~ s/'/''/gr . "'"; }

my $filter = "public.t$ae=" . literal(qq{t$ae."v$euro" = '$euro'});
is(scalar(values_of(messages(peek('WIN1252', 'binary_', ", 'tables', 'public.t$ae', 'filters', " . literal($filter))))), 1, 'a condition with such letters');
my $wrong = literal("public.t$ae=" . literal("n$ae = 1"));
my (undef, undef, $error) = SluiceTest::psql_try($t->source_conninfo, "SELECT 1 FROM pg_logical_slot_peek_binary_changes('win1252', NULL, NULL, 'filters', $wrong)");
like($error, qr/the condition of public\.t$ae cannot be used: .*"n$ae"/, 'an error names the table and the column');

# A client of the replication protocol that asks for no encoding has the database's.
my $file = $t->directory . '/capture';
{
	local $ENV{PGCLIENTENCODING};
	delete $ENV{PGCLIENTENCODING};
	my $end = $t->source_sql('SELECT pg_current_wal_lsn()');
	is(system('pg_recvlogical', '-d', $t->source_conninfo, '--slot', 'win1252', '--start', '--endpos', $end, '-o', 'messages=on', '-f', $file), 0, 'pg_recvlogical');
}
my $decoded = `"$SluiceTest::build/sluice" decode $file`;
like($decoded, qr/table public\."t$ae": INSERT: id\[text\]:'$ae'/, 'sluice decode of a capture');

from('SQL_ASCII');
$t->source_sql(q{CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, chr(228))});
@messages = messages(peek('SQL_ASCII', 'binary_'));
is($messages[0]{encoding}, 'SQL_ASCII', 'SQL_ASCII is no encoding');
is(unpack('H*', (grep { $_->{kind} eq 'I' } @messages)[0]{new}{v}), 'e4', 'and its strings are sent as they are stored');

done_testing();
