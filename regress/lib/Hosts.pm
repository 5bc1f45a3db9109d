# Several daemons of one task, as if each ran on a host of its own: each has its
# own configuration file, spill directory, log and process.
#
#	my $hosts = Hosts->new($t, { tables => ... });	# both ends and the task are the test's
#	my $a = $hosts->host('a');
#	$a->start('--standby');
package Hosts;

use strict;
use warnings;

use PostgreSQL::Test::Utils ();
use SluiceTest;

sub new { my ($class, $t, $changes) = @_; return bless { t => $t, changes => $changes // {} }, $class; }

# A SluiceTest with the test's servers; `changes` come on top of those of all hosts.
sub host
{
	my ($self, $name, $changes) = @_;
	my $t = $self->{t};
	my $host = bless {%$t}, ref $t;
	delete @$host{qw(pid log status spill config)};
	$host->{directory} = "$t->{directory}/$name";
	mkdir $host->{directory} or die "cannot make $host->{directory}: $!";
	$host->{spill} = PostgreSQL::Test::Utils::tempdir_short();
	$host->{task} = $self->{changes}{task} // $t->{task};
	my $merged = { %{ $self->{changes} } };
	SluiceTest::_merge($merged, $changes) if $changes;
	$host->configure($merged);
	return $host;
}

# The host that streams, of those given, and the others.
sub holder_of
{
	my (@hosts) = @_;
	my ($holder) = grep { $_->log =~ /streaming from(?!.*waiting as its standby)/s } @hosts;
	return ($holder, grep { $_ != ($holder // 0) } @hosts);
}

1;
