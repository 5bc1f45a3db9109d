#!/usr/bin/perl
# Roles and databases can set whatever changes how SQL text and values are read
# and written, which names mean what, and when a session ends: at both ends the
# program's own settings prevail, before any name is resolved.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it makes roles and functions that lie');

my $t = SluiceTest->new(source => { database => 'shop' });

# What is set against us, at both ends; those that a server lacks are passed over.  The timeouts are long enough for a
# loaded machine to begin a session, and shorter than what the sessions wait for below.
my %hostile = (
	search_path => 'evil, pg_catalog',
	standard_conforming_strings => 'off',
	escape_string_warning => 'on',
	backslash_quote => 'on',
	quote_all_identifiers => 'on',
	transform_null_equals => 'on',
	operator_precedence_warning => 'on',
	datestyle => "'German, DMY'",
	intervalstyle => 'iso_8601',
	timezone => "'Asia/Kathmandu'",
	extra_float_digits => '-15',
	bytea_output => 'escape',
	array_nulls => 'off',
	xmloption => 'document',
	xmlbinary => 'hex',
	row_security => 'on',
	gin_fuzzy_search_limit => '1',
	client_min_messages => 'debug5',
	client_encoding => 'LATIN1',
	default_transaction_isolation => 'serializable',
	default_transaction_read_only => 'on',
	default_transaction_deferrable => 'on',
	statement_timeout => "'700ms'",
	lock_timeout => "'1ms'",
	idle_in_transaction_session_timeout => "'700ms'",
	idle_session_timeout => "'700ms'",
	transaction_timeout => "'700ms'",
	exit_on_error => 'on',
	wal_sender_timeout => "'700ms'",
);

# Functions and operators that answer in place of pg_catalog's where the search path lets them.
my $evil = q{
	CREATE ROLE hostile SUPERUSER LOGIN;
	CREATE SCHEMA evil;
	CREATE FUNCTION evil.version() RETURNS text LANGUAGE sql AS $$ SELECT 'TrapSQL 1' $$;
	CREATE FUNCTION evil.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE FUNCTION evil.trap(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE FUNCTION evil.trap(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
	CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.trap);
	CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.trap);
	CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.trap);
	CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
	CREATE FUNCTION evil.quote_ident(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trapped' $$;
	CREATE VIEW evil.pg_settings AS SELECT 'trapped'::text AS name;
	CREATE VIEW evil.pg_class AS SELECT 1::oid AS oid, 'trapped'::name AS relname;
};

for my $conninfo ($t->source_conninfo, $t->destination_conninfo)
{
	SluiceTest::psql($conninfo, $evil);
	my %known = map { $_ => 1 } split /\n/, SluiceTest::psql($conninfo, 'SELECT lower(name) FROM pg_settings');
	my ($database) = $conninfo =~ /dbname='?(\w+)/;
	my $in_database = 0;
	for my $name (grep { $known{$_} } sort keys %hostile)
	{
		# Those that the test's own sessions set otherwise can be the database's.
		my $whom = $name =~ /^(?:datestyle|intervalstyle|timezone|bytea_output|extra_float_digits|client_encoding)$/
		  ? qq(DATABASE "$database") : 'ROLE hostile' . ($in_database++ % 2 ? qq( IN DATABASE "$database") : '');
		SluiceTest::psql($conninfo, "ALTER $whom SET $name = $hostile{$name}");
	}
}

$t->destination_sql('CREATE TABLE public.victim (id int)');
$t->source_sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'it''s \ fine');
	CREATE TABLE "all" (id int PRIMARY KEY,
		injection text DEFAULT E'\\\\'')::text; DROP TABLE public.victim; COMMIT; BEGIN; --',
		path text DEFAULT 'a\b', day date DEFAULT '2024-02-01', span interval DEFAULT '1 day 2 hours',
		moment timestamptz DEFAULT '2024-02-01 12:00:00+00', number float8 DEFAULT 1.0000000000000002,
		bytes bytea DEFAULT '\x00ff', list text[] DEFAULT '{NULL,"NULL"}', doc xml DEFAULT 'a<b/>c', price money,
		state mood DEFAULT 'it''s \ fine', "Quoted \ name" text CHECK ("Quoted \ name" <> 'x\y'));
	ALTER TABLE "all" ADD COLUMN late text DEFAULT 'late \\ value';
	INSERT INTO "all" (id, price) SELECT i, i FROM generate_series(1, 100) i;
	INSERT INTO "all" (id, number, moment) VALUES (101, 0.1 + 0.2, 'infinity');
});

my $of = sub { return $_[0] =~ s/ user=\S+//r . ' user=hostile' };
$t->configure({
	source => { conninfo => $of->($t->source_conninfo) },
	destination => { conninfo => $of->($t->destination_conninfo) },
	initial_copy => { jobs => 2 },
});

unlike($t->run_ok('check')->{stdout}, qr/^failed/m, 'check passes');
like($t->run_ok('schema')->{stdout}, qr/DEFAULT 'a\\b'/, 'a default with a backslash keeps it');

$t->start;
$t->poll_ok(sub { $t->log =~ /streaming from/ }, 'the copy is done');
is($t->destination_sql('SELECT count(*) FROM victim'), '0', 'no statement from a default was executed');
# A statement that waits for longer than the timeouts.
my $lock = SluiceTest::hold($t->destination_conninfo, 'LOCK TABLE public."all" IN SHARE MODE');
$t->source_sql(q{
	UPDATE "all" SET day = '1999-12-31', span = '-3 mons', list = '{NULL,a}', bytes = '\x5c', path = 'c\d' WHERE id <= 50;
	INSERT INTO "all" (id, number) VALUES (200, 1e-300);
	DELETE FROM "all" WHERE id = 99;
});
$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'hostile'
	AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > '1.5 s'}) eq '1' }, 'a batch waits for a lock');
SluiceTest::release($lock);
$t->source_sql(q{
	ALTER TABLE "all" ADD COLUMN followed text DEFAULT 'e\f';
	INSERT INTO "all" (id) VALUES (201);
	CREATE TABLE younger (id int PRIMARY KEY, v text DEFAULT 'g\h');
	INSERT INTO younger VALUES (1);
});
my $marker = $t->source_sql(q{SELECT pg_logical_emit_message(true, 'sluice_test', '')});
$t->poll_ok(sub { $t->destination_sql("SELECT applied_lsn >= '$marker' FROM sluice.progress") eq 't' }, 'the changes are applied');
$t->poll_ok(sub { $t->destination_sql(q{SELECT count(*) FROM pg_class WHERE relname = 'younger'}) eq '1'
	&& $t->destination_sql('SELECT count(*) FROM younger') eq '1' }, 'a new table is copied');
# Longer than the timeouts that are set against the sessions.
my $begun = time;
$t->poll_ok(sub { time - $begun > 2 }, 'time passes');
unlike($t->log, qr/lost the connection|trying again|timeout|cancel/, 'no session was ended');

my $text = q{SELECT string_agg(t::text, E'\n' ORDER BY id) FROM public."all" t};
is($t->destination_sql($text), $t->source_sql($text), 'every value is equal');
my $defaults = q{SELECT string_agg(a.attname || ' ' || pg_get_expr(d.adbin, d.adrelid), E'\n' ORDER BY a.attname) FROM pg_attrdef d
	JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = 'public."all"'::regclass};
is($t->destination_sql($defaults), $t->source_sql($defaults), 'so are the defaults');
like($t->run_ok('compare')->{stdout}, qr/^2 equal, 0 different, 0 not compared/m, 'compare says so');
is($t->stop, 0, 'the daemon stops');
is($t->destination_sql('SELECT count(*) FROM victim'), '0', 'still no statement from a default was executed');

for my $end (qw(source destination))
{
	unlike(SluiceTest::_slurp($t->$end->logfile), qr/(?:ERROR|FATAL): .*(?:parameter|timeout|trapped)/,
		"the log of the $end has no line about a setting");
}

done_testing();
