#!/usr/bin/perl
# Lists of very many entries in the plugin's options, and that the server can
# end a session whatever the plugin is at.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

my $t = SluiceTest->new(destination => 0);

$t->source_sql(q{
	CREATE TABLE wanted (id int PRIMARY KEY);
	CREATE TABLE unwanted (id int PRIMARY KEY);
	CREATE TABLE spared (id int PRIMARY KEY);
	SELECT pg_create_logical_replication_slot('s', 'sluice');
	INSERT INTO wanted VALUES (1), (2);
	INSERT INTO unwanted VALUES (1);
	INSERT INTO spared VALUES (1);
});

# ---- 100,000 entries of each kind of list, in a session that may use little memory

sub list { my ($format) = @_; return "(SELECT string_agg(format('$format', i), ',') FROM generate_series(1, 100000) i)"; }

my $options = join ', ',
  "'tables', " . list('public.table_%s') . " || ',public.wanted,public.sp*'",
  "'exclude_tables', " . list('other.*_%s') . " || ',public.spared'",
  "'text_tables', " . list('public.text_%s'),
  "'filters', " . list('public.table_%s=\'\'true\'\'') . " || ',public.wanted=''id = 2'''";
is($t->source_sql("SELECT count(*), string_agg(data, '|') FILTER (WHERE data LIKE 'table%')
	FROM pg_logical_slot_peek_changes('s', NULL, NULL, 'format', 'text', $options)"),
	'5|table public.wanted: INSERT: id[integer]:2', 'long lists select what they say');

my ($status, undef, $error) = SluiceTest::psql_try($t->source_conninfo,
	"SELECT count(*) FROM pg_logical_slot_peek_changes('s', NULL, NULL, 'format', 'text', 'tables', " . list('public.table_%s') . " || ',oh')");
like($error, qr/invalid value "oh" for option "tables"/, 'what is wrong in a long list is named');
cmp_ok(length $error, '<', 1000, 'and the list is not repeated');

# ---- ending a session while the plugin is at a list, or at changes that nobody selected

sub ends_ok
{
	my ($what, $sql) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XAqt', '-d', $t->source_conninfo . " application_name=victim", '-c', $sql ],
		'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout($SluiceTest::deadline_s));
	my $pid = SluiceTest::poll(sub { $t->source_sql("SELECT pid FROM pg_stat_activity WHERE application_name = 'victim' AND state = 'active'") });
	ok($pid, "$what: it has begun");
	$t->source_sql("SELECT pg_terminate_backend($pid)");
	ok(SluiceTest::poll(sub { !$t->source_sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") }, 20), "$what: the session ends");
	$run->finish;
	like($err, qr/terminating connection/, "$what: by the administrator's command") or diag($out, $err);
}

# So long a list that reading it takes longer than it takes to look.
ends_ok('a list', q{SELECT count(*) FROM pg_logical_slot_peek_changes('s', NULL, NULL, 'format', 'text', 'tables', repeat('a.b,', 40000000))});

$t->source_sql(q{CREATE TABLE much (id int); ALTER TABLE much REPLICA IDENTITY FULL; INSERT INTO much SELECT generate_series(1, 1000000)});
ends_ok('changes', q{SELECT count(*) FROM pg_logical_slot_peek_changes('s', NULL, NULL, 'format', 'text', 'tables', 'public.much',
	'filters', 'public.much=''repeat(md5(id::text), 10000) ~ ''''[a-f]{300}''''''')});

done_testing();
