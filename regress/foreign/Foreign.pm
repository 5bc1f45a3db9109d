# The regression tests of PostgreSQL, test_decoding, wal2json and pglogical as traffic in the database of a test.  What
# the tests themselves print is of no interest.
#
#	my $t = SluiceTest->new(source => { conf => $Foreign::settings });
#	my $foreign = Foreign->new($t, "$ENV{FOREIGN}/library");
#	$foreign->run;
#
# FOREIGN names the folder that regress/foreign/fetch has made; the library folder has the C functions of the tests.
package Foreign;

use strict;
use warnings;

use SluiceTest;
use Test::More;

our $settings = q{
	max_replication_slots = 30
	max_wal_senders = 20
	max_prepared_transactions = 20
	max_connections = 60
	logical_decoding_work_mem = '1MB'
	allow_in_place_tablespaces = on
};

sub new
{
	my ($class, $t, $library) = @_;
	my $folder = $ENV{FOREIGN} or die "FOREIGN names no folder\n";
	return bless { t => $t, folder => $folder, postgresql => "$folder/postgresql", library => $library }, $class;
}

# From now on every new table logs whole rows, since most have no key.
sub log_whole_rows
{
	my ($self) = @_;
	return $self->{t}->source_sql(q{
		CREATE FUNCTION public.log_whole_rows() RETURNS event_trigger SECURITY DEFINER LANGUAGE plpgsql AS $$
		DECLARE made record;
		BEGIN
			FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' AND schema_name !~ '^pg_' LOOP
				BEGIN
					EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', made.object_identity);
				EXCEPTION WHEN OTHERS THEN
					NULL;
				END;
			END LOOP;
		END $$;
		CREATE EVENT TRIGGER log_whole_rows ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
			EXECUTE FUNCTION public.log_whole_rows();
	});
}

sub run
{
	my ($self) = @_;
	my ($t, $postgresql, $folder) = @$self{qw(t postgresql folder)};
	$self->_scripts('test_decoding', sort glob "$postgresql/contrib/test_decoding/sql/*.sql");
	$self->_scripts('wal2json', sort glob "$folder/wal2json/sql/*.sql");
	$self->_scripts('pglogical', sort glob "$folder/pglogical/sql/*.sql");
	$t->source_sql(q{SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND slot_name !~ 'sluice'});
	return $self->_regression_tests;
}

# Runs scripts one after another; what fails in them was meant to, or is not ours to judge.
sub _scripts
{
	my ($self, $name, @scripts) = @_;
	my $t = $self->{t};
	for my $script (@scripts)
	{
		my $log = $t->directory . '/traffic.log';
		system("psql -X -q -d '" . $t->source_conninfo . "' -f '$script' > '$log' 2>&1 < /dev/null");
	}
	return pass("$name: " . @scripts . ' scripts ran');
}

# As PostgreSQL's own driver runs them.
sub _regression_tests
{
	my ($self) = @_;
	my ($t, $tests) = ($self->{t}, "$self->{postgresql}/src/test/regress");
	my %of = map { /(\w+)='?([^' ]+)/ } split ' ', $t->source_conninfo;
	my $output = $t->directory . '/regress';
	mkdir $output;
	my $ran = `cd '$output' && PGOPTIONS= '$ENV{PG_REGRESS}' --use-existing --host='$of{host}' --port=$of{port} --user=postgres --dbname='$of{dbname}' --bindir='$SluiceTest::bindir' --inputdir='$tests' --outputdir='$output' --dlpath='$self->{library}' --schedule='$tests/parallel_schedule' --max-connections=10 2>&1`;
	my ($summary) = $ran =~ /(\d+ of \d+ tests failed|All \d+ tests passed)/;
	diag($summary // $ran);
	return ok(defined $summary, 'PostgreSQL\'s regression tests ran');
}

1;
