#!/usr/bin/perl
# Wrong input: each a clear message and the right exit status, nothing changed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";
use SluiceTest;
use Test::More;

SluiceTest::needs_own_destination('it changes the settings of both servers');

my $t = SluiceTest->new;

$t->source_sql(q{
	CREATE TABLE fine (id int PRIMARY KEY, v text);
	INSERT INTO fine SELECT i, 'row ' || i FROM generate_series(1, 10) i;
});
my $fine = { tables => { include => ['public.fine'] } };
my $bare;

# What a refused command must leave alone: slots; the destination's schemas,
# tables and rows.
sub traces
{
	my $slots = $t->source_sql('SELECT count(*) FROM pg_replication_slots');
	my $theirs = $t->destination_sql(q{
		SELECT count(DISTINCT nspname) || ' schemas, ' || count(c.oid) || ' tables, ' ||
			coalesce(sum(CASE WHEN c.oid IS NOT NULL THEN (xpath('//n/text()', query_to_xml(
				format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text::bigint END), 0) || ' rows'
		FROM pg_namespace n LEFT JOIN pg_class c ON n.oid = relnamespace AND relkind IN ('r', 'p', 'v')
		WHERE nspname NOT LIKE 'pg%' AND nspname <> 'information_schema'});
	return "$slots slots, $theirs";
}

# Both check and run refuse with the same exit status and message.
sub refused
{
	my ($changes, $status, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = traces();
	$t->configure($changes);
	my %said = map { $_ => $t->fails_like([$_], $status, $pattern, "$_: $name")->{stdout} } qw(check run);
	is(traces(), $before, "$name: nothing is changed");
	return $said{check};
}

# A precheck fails; what to say of it is on the line of its check, too.
sub check_fails
{
	my ($changes, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $said = refused($changes, 3, qr/^sluice: .*$pattern/, $name);
	like($said, qr/^failed .*$pattern/m, "$name: check has a line");
}

# The check passes with a warning.
sub check_warns
{
	my ($changes, $pattern, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = traces();
	$t->configure($changes);
	my $result = $t->run_ok('check');
	like($result->{stdout}, qr/^warning .*$pattern/m, "$name: a warning");
	unlike($result->{stdout}, qr/^failed/m, "$name: no failure");
	is(traces(), $before, "$name: nothing is changed");
}

subtest 'configuration' => sub {
	refused("task: [orders\n", 2, qr/^sluice: .*sluice\.yaml:\d+:\d+: /, 'bad YAML');
	refused({ wal => { hartbeat => '1s' } }, 2, qr/sluice\.yaml:\d+:\d+: .*"wal\.hartbeat".*"heartbeat"/,
		'an unknown key');
	refused({ source => { conninfo => 'hots=a dbname=b' } }, 2, qr/unknown keyword "hots"; did you mean "host"\?/,
		'a mistyped keyword of a conninfo');
	refused({ source => { conninfo => 'host' } }, 2, qr/"source\.conninfo".*not a valid connection string/,
		'a conninfo that cannot be parsed');
	my $result = do
	{
		$t->configure({ source => { conninfo => 'password=secret123 port' } });
		$t->fails_like(['run'], 2, qr/"source\.conninfo"/, 'a conninfo with a password');
	};
	like($result->{stderr}, qr/sluice\.yaml:\d+:\d+: "source\.conninfo"/, 'its place is');
	unlike($result->{stderr}, qr/secret123/, 'the password is not shown');
	for my $password (qw(se@cret12 se/cret12))
	{
		$t->configure({ destination => { conninfo => "postgresql://loader:$password\@localhost/dw" } });
		$result = $t->fails_like(['run'], 2, qr/"destination\.conninfo": .* has a plain @ or \/; write %40 for @/, "a URI with $password");
		unlike($result->{stderr}, qr/cret12/, 'no part of it is shown');
	}
	refused({ source => { conninfo => 'host=localhost port=many' } }, 2, qr/cannot connect to the source: .*"many".*; correct source\.conninfo/,
		'a conninfo with a value that libpq does not take');
};

subtest 'servers that cannot be reached' => sub {
	my $nowhere = "host=$t->{directory} port=1 dbname=shop";
	my $at_once = { retry => { duration => '0' } };
	for my $end (qw(source destination))
	{
		my $pattern = qr/cannot connect to the $end: [^\n;?]*No such file or directory; start that server, or correct host/;
		$t->configure({ %$at_once, $end => { conninfo => $nowhere } });
		$t->fails_like(['run'], 1, $pattern, "run without the $end");
		like($t->fails_like(['check'], 3, $pattern, "check without the $end")->{stdout},
			qr/^failed +connection +cannot connect to the $end/m, 'with a line');
	}
	$t->configure({ map { $_ => { conninfo => $nowhere } } qw(source destination) });
	my @lines = $t->sluice('check')->{stdout} =~ /^failed +connection +cannot connect to the (\w+)/mg;
	is("@lines", 'source destination', 'check tries both');
	$t->configure({ source => { conninfo => $nowhere }, retry => { duration => '1s' } });
	my $result = $t->fails_like(['run'], 1, qr/gave up after trying for 1 s: cannot connect to the source/,
		'tried again for a while');
	like($result->{stderr}, qr/trying again in/, 'the log says so');
	$t->configure({ source => { conninfo => $t->source_conninfo . " user=nobody_here" } });
	$t->fails_like(['run'], 3, qr/does not let the user in \(28000: .*"nobody_here".*\); see to it that the role "nobody_here" exists there/, 'an unknown role is not tried again');
	$t->configure({ destination => { conninfo => $t->destination_conninfo =~ s/dbname=\S+/dbname=not_here/r } });
	$t->fails_like(['run'], 3, qr/no such database \(3D000: .*\); correct the conninfo, or CREATE DATABASE "not_here" there/, 'nor is an unknown database');
};

# Settings of the source that a reload brings into force, and back.
sub with_setting
{
	my ($name, $value, $code) = @_;
	$t->source->safe_psql('postgres', "ALTER SYSTEM SET $name = $value");
	$t->source->reload;
	SluiceTest::poll(sub { $t->source_sql("SELECT setting FROM pg_settings WHERE name = '$name'") eq ($value =~ s/'//gr) })
	  or die "$name was not set";
	$code->();
	$t->source->safe_psql('postgres', "ALTER SYSTEM RESET $name");
	$t->source->reload;
	SluiceTest::poll(sub { $t->source_sql("SELECT setting FROM pg_settings WHERE name = '$name'") ne ($value =~ s/'//gr) })
	  or die "$name was not reset";
}

subtest 'the plugin' => sub {
	with_setting('dynamic_library_path', "'/nonexistent'", sub {
		check_fails($fine, qr/sluice\.so is not installed .* install it/, 'a missing plugin');
	});
	SKIP: {
		skip 'this server does not know output_plugin_libraries', 1
		  unless SluiceTest::knows_setting('output_plugin_libraries');
		with_setting('output_plugin_libraries', "'pgoutput'", sub {
			check_fails($fine, qr/output_plugin_libraries = 'pgoutput, sluice'/, 'output_plugin_libraries');
		});
	}
};

subtest 'the slot' => sub {
	$t->source_sql(q{SELECT pg_create_logical_replication_slot('sluice_test', 'test_decoding')});
	check_fails($fine, qr/slot.*sluice_test.*belongs to the output plugin test_decoding/, 'a slot of another plugin');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});

	$t->source_sql(q{SELECT pg_create_physical_replication_slot('sluice_test')});
	check_fails($fine, qr/it is a physical slot/, 'a physical slot');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});

	$t->source->safe_psql('postgres', q{SELECT pg_create_logical_replication_slot('sluice_test', 'sluice')});
	check_fails($fine, qr/belongs to the database "postgres"/, 'a slot of another database');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});

	$t->source_sql(q{SELECT pg_create_logical_replication_slot('sluice_test', 'sluice')});
	check_fails($fine, qr/it exists, but the destination has no progress of task "test"/, 'a slot without progress');
	$t->source_sql(q{SELECT pg_drop_replication_slot('sluice_test')});

	$t->source_sql(q{SELECT pg_create_logical_replication_slot('other_' || i, 'test_decoding') FROM generate_series(1, 20) i});
	check_fails($fine, qr/all 20 of max_replication_slots are taken/, 'no room for a slot');
	$t->source_sql(q{SELECT pg_drop_replication_slot('other_' || i) FROM generate_series(1, 20) i});
};

subtest 'the selection' => sub {
	$t->source_sql(q{
		CREATE VIEW glance AS SELECT * FROM fine;
		CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
		CREATE TABLE twin (LIKE fine INCLUDING ALL);
	});
	check_fails({ tables => { include => ['public.none', 'public.fine'] } }, qr/public\.none: there is no such table/,
		'a missing table');
	check_warns({ tables => { include => ['nothing.*'] } }, qr/no table is selected at present: those that appear are taken in/, 'an empty selection by a pattern');
	check_fails({ tables => { include => ['public.none'] } }, qr/no table is selected: correct tables\.include/, 'an empty selection by name');
	check_warns({ tables => { include => ['nothing.*', 'public.fine'] } }, qr/nothing\.\*: .*matches no table/,
		'a pattern without a match');
	check_fails({ tables => { include => ['public.glance', 'public.fine'] } }, qr/public\.glance: it is a view/,
		'a view');
	check_fails({ tables => { include => ['public.scratch', 'public.fine'] } }, qr/public\.scratch: it is unlogged/,
		'an unlogged table');
	check_fails({ tables => { %{ $fine->{tables} }, overrides => [ { source => 'public.twin', target => 'public.x' } ] } },
		qr/public\.twin: tables\.overrides names it/, 'an override without its table');
	check_fails({ tables => { include => [ 'public.fine', 'public.twin' ],
		overrides => [ { source => 'public.twin', target => 'public.fine' } ] } },
		qr/public\.fine: its target has several sources/, 'two sources for one target');
	check_fails({ %$fine, destination => { conninfo => $t->source_conninfo } },
		qr/public\.fine: .*its own target/, 'a table that is its own target');
};

subtest 'identity and key' => sub {
	$t->source_sql(q{
		CREATE TABLE bare (a int, b text);
		CREATE TABLE hollow ();
		ALTER TABLE hollow REPLICA IDENTITY FULL;
		CREATE TABLE nothing (id int PRIMARY KEY);
		ALTER TABLE nothing REPLICA IDENTITY NOTHING;
	});
	$bare = { tables => { include => ['public.bare'] } };
	check_fails($bare, qr/public\.bare: it has no replica identity .*ALTER TABLE public\.bare REPLICA IDENTITY FULL/,
		'a table without identity');
	check_fails({ tables => { include => ['public.hollow'] } }, qr/public\.hollow: it has no columns/, 'no columns');
	check_fails({ tables => { include => ['public.nothing'] } }, qr/public\.nothing: it has no replica identity/,
		'identity nothing');
	$t->configure({ %$bare, operations => ['insert'] });
	$t->run_ok('check');
	my $with_key = sub {
		return { tables => { include => ["public.$_[0]"], overrides => [ { source => "public.$_[0]", key => [ $_[1] ] } ] } };
	};
	check_fails($with_key->('fine', 'nope'), qr/public\.fine: the column "nope" of its key does not exist/,
		'a key column that does not exist');
	check_fails($with_key->('fine', 'v'), qr/the column "v" of its key is not part of the replica identity/,
		'a key that is not logged');
	$t->source_sql('ALTER TABLE bare REPLICA IDENTITY FULL');
	check_warns($with_key->('bare', 'a'), qr/public\.bare: the column "a" of its key may be null/, 'a key that may be null');
	check_fails({ tables => { %{ $fine->{tables} }, overrides => [ { source => 'public.fine', distributed_by => ['id'] } ] } },
		qr/distributed_by and storage are for Greenplum/, 'distribution without segments');
};

subtest 'targets' => sub {
	check_fails({ %$fine, schema => { create => 'false' } }, qr/public\.fine: it does not exist, and schema\.create is off/,
		'a missing target');

	$t->destination_sql(q{CREATE TABLE fine (id int PRIMARY KEY, v text); INSERT INTO fine VALUES (77, 'mine')});
	check_fails($fine, qr/public\.fine: it is not empty and not copied yet/, 'a target that is not empty');
	check_warns({ %$fine, initial_copy => { existing => 'clear' } }, qr/holds rows, which are removed/,
		'a target that will be cleared');
	is($t->destination_sql('SELECT v FROM fine'), 'mine', 'check cleared nothing');

	my %targets = (
		'a missing column' => [ '(id int PRIMARY KEY)', qr/public\.fine: it lacks columns of public\.fine: ALTER TABLE "public"\."fine" ADD COLUMN "v" text/ ],
		'a column that is not fed' => [ '(id int PRIMARY KEY, v text, more int NOT NULL)', qr/the source does not feed more/ ],
		'a generated column' => [ '(id int PRIMARY KEY, v text GENERATED ALWAYS AS (id::text) STORED)',
			qr/column "v" is generated/ ],
		'a type that does not convert' => [ '(id bytea PRIMARY KEY, v text)',
			qr/column "id" is bytea, at the source integer, which does not convert/ ],
	);
	for my $name (sort keys %targets)
	{
		my ($definition, $pattern) = @{ $targets{$name} };
		$t->destination_sql("DROP TABLE fine; CREATE TABLE fine $definition");
		check_fails({ %$fine, schema => { changes => 'stop' } }, $pattern, $name);
	}
	my %narrow = (
		'a narrower integer' => [ '(id int2 PRIMARY KEY, v text)', qr/column "id" is smallint, at the source integer/ ],
		'a limited text' => [ '(id int PRIMARY KEY, v varchar(3))', qr/column "v" is character varying\(3\)/ ],
		'a column that must not be null' => [ '(id int PRIMARY KEY, v text NOT NULL)', qr/column "v" must not be null/ ],
	);
	for my $name (sort keys %narrow)
	{
		my ($definition, $pattern) = @{ $narrow{$name} };
		$t->destination_sql("DROP TABLE fine; CREATE TABLE fine $definition");
		check_warns($fine, $pattern, $name);
	}
	$t->destination_sql('DROP TABLE fine; CREATE VIEW fine AS SELECT 1 AS id');
	check_fails($fine, qr/it is not a table that can be written/, 'a view as a target');
	$t->destination_sql('DROP VIEW fine');

	$t->destination_sql('CREATE TABLE bare (a int, b text, more int)');
	check_fails($bare, qr/an update would lose the values of more, since public\.bare has no key by which/,
		'a column of the target alone, in a table without a key');
	$t->destination_sql('DROP TABLE bare');

	$t->source_sql(q{CREATE TYPE mood AS ENUM ('well'); CREATE TABLE moody (id int PRIMARY KEY, m mood, c regclass)});
	my $moody = { tables => { include => ['public.moody'] } };
	check_warns($moody, qr/others take their place: c \(regclass becomes text\)/, 'a type that means something else at the destination');
	$t->destination_sql(q{CREATE TABLE moody (id int PRIMARY KEY, m int, c text)});
	check_fails($moody, qr/column "m" is integer, at the source public\.mood, which does not convert/,
		'a type that the destination lacks, with a target that cannot take it');
	$t->destination_sql(q{DROP TABLE moody});

	$t->source_sql(q{CREATE TYPE "Size" AS ENUM ('s', 'm', 'it''s', 'l'); CREATE TABLE sized (id int PRIMARY KEY, s "Size"[], at timestamp)});
	$t->destination_sql(q{CREATE TYPE "Size" AS ENUM ('s', 'l'); CREATE TABLE sized (id int PRIMARY KEY, s "Size"[], at timestamptz)});
	my $sized = { tables => { include => ['public.sized'] } };
	check_warns({ %$sized, schema => { changes => 'stop' } }, qr/public\.Size: the destination's enum lacks 'm', 'it''s': .* ALTER TYPE public\."Size" ADD VALUE/,
		'an enum without a label');
	$t->configure($sized);
	like($t->run_ok('check')->{stdout}, qr/^ok +types +public\.Size: the destination's enum lacks 'm', 'it''s', which run will add$/m, 'which is followed by default');
	check_warns($sized, qr/column "at" is timestamp with time zone, at the source timestamp without time zone: its values are interpreted as UTC/,
		'a time zone that comes');
	$t->destination_sql(q{DROP TABLE sized; DROP TYPE "Size"});
};

subtest 'rights' => sub {
	$t->source_sql('CREATE ROLE reader LOGIN');
	my $reader = $t->source_conninfo . ' user=reader';
	check_fails({ %$fine, source => { conninfo => $reader } }, qr/reader lacks the attribute REPLICATION/, 'no REPLICATION');
	$t->source_sql('ALTER ROLE reader REPLICATION');
	check_fails({ %$fine, source => { conninfo => $reader } }, qr/public\.fine: it cannot be read at the source: GRANT SELECT/,
		'no SELECT');
	$t->source_sql(q{GRANT SELECT ON fine TO reader; ALTER TABLE fine ENABLE ROW LEVEL SECURITY});
	check_fails({ %$fine, source => { conninfo => $reader } }, qr/row-level security hides rows/, 'row-level security');
	$t->source_sql('ALTER TABLE fine DISABLE ROW LEVEL SECURITY');
	$t->configure({ %$fine, source => { conninfo => $reader } });
	$t->run_ok('check');

	$t->destination_sql('CREATE ROLE loader LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC');
	my $loader = $t->destination_conninfo . ' user=loader';
	check_fails({ %$fine, destination => { conninfo => $loader } }, qr/schema sluice for the task's state cannot be made/,
		'no CREATE on the database');
	$t->destination_sql(q{DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO loader', current_database()); END $$});
	check_fails({ %$fine, destination => { conninfo => $loader } }, qr/public\.fine: it is missing and cannot be made/,
		'no CREATE on the schema');
	$t->destination_sql('CREATE TABLE fine (id int PRIMARY KEY, v text); GRANT SELECT, INSERT, UPDATE ON fine TO loader');
	check_fails({ %$fine, destination => { conninfo => $loader } }, qr/public\.fine: DELETE is not allowed/, 'no DELETE');
	$t->destination_sql('GRANT DELETE, TRUNCATE ON fine TO loader; CREATE SCHEMA sluice');
	$t->configure({ %$fine, destination => { conninfo => $loader } });
	$t->fails_like(['check'], 3, qr/loader may not read the schema sluice .*; GRANT USAGE, CREATE ON SCHEMA sluice/, 'the state of another user');
	$t->fails_like(['status'], 1, qr/loader may not read the schema sluice/, 'for status, too');
	$t->destination_sql('DROP SCHEMA sluice');
	$t->configure({ %$fine, destination => { conninfo => $loader } });
	$t->run_ok('check');
	check_fails({ %$fine, destination => { conninfo => $t->destination_conninfo . " options='-c default_transaction_read_only=on'" } },
		qr/it is a standby or set to read only/, 'a destination that is read only');
	$t->destination_sql('DROP TABLE fine');
};

subtest 'warnings that are known' => sub {
	my @known = qw(types selection superuser);
	$t->source_sql('CREATE TABLE twice (id int PRIMARY KEY)');
	$t->configure({ tables => { include => [ 'public.fine', 'nothing.*' ] } });
	my $said = $t->run_ok('check', map { ('--ignore', $_) } @known)->{stdout};
	unlike($said, qr/^warning/m, 'no warning is left');
	like($said, qr/^ok +selection +nothing\.\*: ignored: the pattern matches no table$/m, 'it says what it ignores');
	like($t->run_ok('check', '--ignore', 'types')->{stdout}, qr/^warning +selection /m, 'another check warns all the same');
	$t->fails_like([ 'check', '--ignore', 'selektion' ], 2, qr/--ignore takes the name of a check \(connection, .*, selection, .*\), not "selektion"/,
		'no such check');
	$t->configure($bare);
	$t->source_sql('ALTER TABLE bare REPLICA IDENTITY DEFAULT');
	$t->fails_like([ $_, '--ignore', 'identity' ], 3, qr/public\.bare: it has no replica identity/, "$_: failures are not ignored") for qw(check run);
};

subtest 'an old transaction' => sub {
	my $session = $t->source->background_psql('shop', on_error_stop => 1);
	$session->query_safe('BEGIN; SELECT pg_current_xact_id()');
	check_warns($fine, qr/a new slot must wait for older transactions to end, the oldest of process \d+/,
		'an old transaction');
	$session->query_safe('COMMIT');
	$session->quit;
};

subtest 'a standby' => sub {
	$t->source->backup('before');
	my $standby = PostgreSQL::Test::Cluster->new('standby');
	$standby->init_from_backup($t->source, 'before', has_streaming => 1);
	$standby->start;
	$t->configure({ %$fine, source => { conninfo => $standby->connstr('shop') . ' user=postgres' } });
	my $said = $t->sluice('check');
	$standby->stop('immediate');
	plan skip_all => 'needs a source older than PostgreSQL 16' if $said->{stdout} =~ /^warning +standby/m;
	is($said->{status}, 3, 'a source that is a standby is refused');
	like($said->{stderr}, qr/^sluice: standby: source: it is a standby, .*: name the primary in source\.conninfo/, 'first of all');
};

subtest 'wal_level' => sub {
	$t->source->append_conf('postgresql.conf', 'wal_level = replica');
	$t->source->restart;
	check_fails($fine, qr/wal_level.* it is replica and must be logical: set wal_level = logical and restart/,
		'wal_level replica');
	$t->source->append_conf('postgresql.conf', 'wal_level = logical');
	$t->source->restart;
};

# And with all of that fixed it works.
$t->configure({ tables => { include => [ 'public.fine', 'nothing.*' ] } });
unlike($t->run_ok('run', '--until', 'current', '--ignore', 'selection', '--ignore', 'superuser')->{stderr}, qr/warning/, 'run does not log what it ignores');
like($t->run_ok('run', '--until', 'current')->{stderr}, qr/warning selection: nothing/, 'otherwise it does');
$t->equal_ok('public.fine');

# A password in conninfo works and is never printed, whatever is logged.
$t->configure({ %$fine, log => { format => 'json', level => 'debug' },
	source => { conninfo => $t->source_conninfo . ' password=secret123' },
	destination => { conninfo => $t->destination_conninfo . ' password=secret123' } });
my $said = $t->run_ok('run', '--until', 'current')->{stderr};
my @unlike_json = grep { !eval { JSON::PP->new->decode($_)->{message} } } split /\n/, $said;
is("@unlike_json", '', 'each line of the log is an object');
$said .= join '', map { $_->{stdout}, $_->{stderr} } map { $t->sluice(@$_) } ['check'], ['schema'], [qw(status --json)], ['compare'];
unlike($said, qr/secret/, 'no verb shows a password');
unlike($t->destination_sql('SELECT string_agg(p::text, $$ $$) FROM sluice.progress p'), qr/secret/, 'nor does the state');

done_testing();
