# A proxy between the program and a server of the tests, which breaks
# connections as networks do, at exact points of the protocol.
#
#	my $proxy = Proxy->new($t->destination_conninfo);
#	$t->configure({ destination => { conninfo => $proxy->conninfo } });
#	$proxy->rule(match => Proxy::COMMIT, when => 'after', action => 'cut');
#	$proxy->cut;
#
# With (pooler => 1) it gives process ids of its own to the program, as poolers do.
#
# A rule is matched against each message of the program, its type letter and its
# content, and fires once: at the nth match (1), "before" it is passed on, when it was
# "sent" to the server, or "after" the server has answered it; then the answer is withheld.
# A statement in several messages begins with its Parse and is answered at its Sync.  Actions:
#
#	kill		SIGKILL for the program
#	cut			both sides are closed
#	half		the program's side is closed, the server's stays open
#	stall		both stay open, but nothing is passed on until resume()
#	late		as half; the statement (of a "before") reaches the server by deliver()
package Proxy;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Socket;

use constant {
	SO_PEERCRED => 17,
	QUEUE_BYTES => 1 << 20,
	PROTOCOL_3 => 196608,
	COMMIT => '^(?:Q|P\0)COMMIT',	# a simple query, or the Parse of one in a pipeline
};

my @running;
my $made = 0;

sub new
{
	my ($class, $conninfo, %as) = @_;
	my ($host) = $conninfo =~ /host=(\S+)/;
	my ($port) = $conninfo =~ /port=(\d+)/;
	my $directory = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { conninfo => $conninfo =~ s/host=\S+/host=$directory/r }, $class;
	my $listener = IO::Socket::UNIX->new(Local => "$directory/.s.PGSQL.$port", Listen => 50)
	  or die "cannot listen: $!";
	socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, 0) or die "socketpair: $!";
	$ours->autoflush(1);
	$its->autoflush(1);
	defined(my $pid = fork) or die "fork: $!";
	if (!$pid)
	{
		close $ours;
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		$SIG{PIPE} = 'IGNORE';
		my $middle = Proxy::Middle->new($listener, $its, $host, $port);
		$middle->{pooler} = $as{pooler};
		eval { $middle->serve; 1 } or print STDERR "proxy: $@";
		POSIX::_exit(0);
	}
	push @running, $pid;
	@$self{qw(pid control)} = ($pid, $ours);
	return $self;
}

# What the program connects to.
sub conninfo { return $_[0]->{conninfo}; }

sub _ask
{
	my ($self, %command) = @_;
	my $control = $self->{control};
	print $control encode_json(\%command) . "\n";
	my $answer = <$control> // die 'the proxy has ended';
	return decode_json($answer);
}

# Replaces the rule.  Without arguments: none.
sub rule { my ($self, %rule) = @_; return $self->_ask(do => 'rule', rule => %rule ? \%rule : undef); }

# How many messages of the program came since the last rule was set, how many links
# there are, how many were refused, whether the rule has fired, and on what.
sub state { return $_[0]->_ask(do => 'state'); }
sub fired { return $_[0]->state->{fired}; }

# Does it to all connections at once.
sub cut { return $_[0]->_ask(do => 'all', action => 'cut'); }
sub half { return $_[0]->_ask(do => 'all', action => 'half'); }
sub stall { return $_[0]->_ask(do => 'all', action => 'stall'); }
sub resume { return $_[0]->_ask(do => 'all', action => 'resume'); }

# Delivers the late statement, and waits until the server has answered it.
sub deliver { return $_[0]->_ask(do => 'deliver'); }

# New connections: "pass" them on, "refuse" or "stall" them.
sub welcome { my ($self, $how) = @_; return $self->_ask(do => 'welcome', how => $how); }

END
{
	my $status = $?;
	for my $pid (@running) { kill 'KILL', $pid; waitpid $pid, 0; }
	$? = $status;
}

# ---- the proxy process
package Proxy::Middle;

sub new
{
	my ($class, $listener, $control, $host, $port) = @_;
	return bless {
		listener => $listener,
		control => $control,
		server => [ $host, $port ],
		welcome => 'pass',
		links => {},
		count => 0,
		matched => 0,
	}, $class;
}

sub serve
{
	my ($self) = @_;
	while (1)
	{
		my ($read, $write) = (IO::Select->new($self->{listener}, $self->{control}), IO::Select->new);
		my %side;	# socket => [link, 'client' | 'server']
		for my $link (values %{ $self->{links} })
		{
			for my $name (grep { $link->{$_} } qw(client server))
			{
				my $other = $name eq 'client' ? 'server' : 'client';
				$side{ $link->{$name} } = [ $link, $name ];
				next if $link->{stalled} || $link->{abandoned};
				$read->add($link->{$name}) if length $link->{"to_$other"} < Proxy::QUEUE_BYTES;
				$write->add($link->{$name}) if length $link->{"to_$name"};
			}
		}
		my ($readable, $writable) = IO::Select->select($read, $write, undef, 10);
		for my $socket (@{ $writable // [] })
		{
			my ($link, $name) = @{ $side{$socket} };
			$self->_write($link, $name) if $link->{$name};
		}
		for my $socket (@{ $readable // [] })
		{
			if ($socket == $self->{listener}) { $self->_accept; }
			elsif ($socket == $self->{control}) { $self->_obey or return; }
			elsif (my ($link, $name) = @{ $side{$socket} })
			{
				$self->_read($link, $name) if $link->{$name} && !$link->{stalled} && !$link->{abandoned};
			}
		}
	}
}

sub _accept
{
	my ($self) = @_;
	my $client = $self->{listener}->accept or return;
	if ($self->{welcome} eq 'refuse') { $self->{refused}++; return close $client; }
	my ($pid) = unpack 'i', getsockopt($client, Socket::SOL_SOCKET(), Proxy::SO_PEERCRED);
	my ($host, $port) = @{ $self->{server} };
	my $server = ($host =~ m{^/} ? IO::Socket::UNIX->new(Peer => "$host/.s.PGSQL.$port") : IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port))
	  or return close $client;
	$_->blocking(0) for $client, $server;
	my $link = {
		client => $client, server => $server, pid => $pid,
		to_server => '', to_client => '', unread => '',
		stalled => $self->{welcome} eq 'stall',
	};
	$self->{links}{$link} = $link;
}

sub _obey
{
	my ($self) = @_;
	my $control = $self->{control};
	my $line = <$control> // return 0;
	my $command = JSON::PP::decode_json($line);
	if ($command->{do} eq 'rule')
	{
		$self->{rule} = $command->{rule};
		@$self{qw(count matched fired)} = (0, 0, undef);
	}
	elsif ($command->{do} eq 'all') { $self->_act($_, $command->{action}) for values %{ $self->{links} }; }
	elsif ($command->{do} eq 'deliver') { $self->_deliver($_) for grep { $_->{late} } values %{ $self->{links} }; }
	elsif ($command->{do} eq 'welcome') { $self->{welcome} = $command->{how}; }
	print $control JSON::PP::encode_json({
		count => $self->{count},
		links => scalar(grep { $_->{client} && $_->{server} } values %{ $self->{links} }),
		refused => $self->{refused} // 0,
		fired => $self->{fired},
	}) . "\n";
	return 1;
}

sub _act
{
	my ($self, $link, $action) = @_;
	kill 'KILL', $link->{pid} if $action eq 'kill';
	if ($action eq 'stall') { $link->{stalled} = 1; }
	elsif ($action eq 'resume')
	{
		$link->{stalled} = 0;
		$self->_take_messages($link);
	}
	elsif ($action eq 'half' || $action eq 'late')
	{
		close $link->{client} if $link->{client};
		delete $link->{client};
		$link->{abandoned} = 1;
	}
	else { $self->_drop($link); }
}

sub _deliver
{
	my ($self, $link) = @_;
	syswrite $link->{server}, delete $link->{late};
	IO::Select->new($link->{server})->can_read(10);
	$self->_drop($link);
}

sub _drop
{
	my ($self, $link) = @_;
	for my $name (qw(client server))
	{
		close $link->{$name} if $link->{$name};
		delete $link->{$name};
	}
	delete $self->{links}{$link};
}

sub _write
{
	my ($self, $link, $name) = @_;
	my $sent = syswrite $link->{$name}, $link->{"to_$name"};
	if (defined $sent) { substr($link->{"to_$name"}, 0, $sent) = ''; }
	elsif ($! != Errno::EAGAIN && $! != Errno::EINTR) { return $self->_drop($link); }
	# What one side sent before it closed the connection is still delivered.
	$self->_drop($link) if $link->{ending} && !length $link->{"to_$name"};
}

sub _read
{
	my ($self, $link, $name) = @_;
	my $got = sysread $link->{$name}, my $bytes, 65536;
	return if !defined $got && ($! == Errno::EAGAIN || $! == Errno::EINTR);
	if (!$got)
	{
		my $other = $name eq 'client' ? 'server' : 'client';
		return $self->_drop($link) unless length $link->{"to_$other"};
		close $link->{$name};
		delete $link->{$name};
		$link->{ending} = 1;
		return;
	}
	if ($name eq 'client')
	{
		$link->{unread} .= $bytes;
		$self->_take_messages($link);
	}
	elsif ($link->{on_answer}) { $self->_act($link, delete $link->{on_answer}); }
	else
	{
		# BackendKeyData, which the server sends together with what precedes it
		$bytes =~ s/K\0\0\0\x0c.{4}(?=.{4}Z)/"K\0\0\0\x0c" . pack('N', 1000000000 + ++$self->{logins})/se if $self->{pooler};
		$link->{to_client} .= $bytes;
	}
}

# Passes on whole messages, and checks each against the rule.
sub _take_messages
{
	my ($self, $link) = @_;
	while (1)
	{
		my $head = $link->{started} ? 5 : 4;
		last if length $link->{unread} < $head;
		my $bytes = unpack('N', substr($link->{unread}, $head - 4, 4)) + $head - 4;
		last if length $link->{unread} < $bytes;
		my $message = substr $link->{unread}, 0, $bytes, '';
		if (!$link->{started})
		{
			$link->{started} = unpack('x4N', $message) == Proxy::PROTOCOL_3;
			$link->{to_server} .= $message;
			next;
		}
		my $action = $self->_judge($message);
		if ($link->{late} || ($action && $action eq 'late'))
		{
			$link->{late} .= $message;
			return $self->_act($link, 'late') if $message =~ /^[QS]/;
			next;
		}
		if ($action && $self->{rule}{when} eq 'before')
		{
			$link->{unread} = $message . $link->{unread} if $action eq 'stall';
			return $self->_act($link, $action);
		}
		$link->{to_server} .= $message;
		if ($action && $self->{rule}{when} eq 'sent')
		{
			$self->_write($link, 'server');
			return $self->_act($link, $action);
		}
		$action = delete $link->{at_sync} if $message =~ /^S/ && $link->{at_sync};
		next unless $action;
		# These get an answer; of others nothing is awaited.
		if ($message =~ /^[QSc]/) { $link->{on_answer} = $action; }
		elsif ($message =~ /^P/) { $link->{at_sync} = $action; }
		else { $self->_write($link, 'server'); return $self->_act($link, $action); }
	}
}

# The action that a message leads to.
sub _judge
{
	my ($self, $message) = @_;
	$self->{count}++;
	my $rule = $self->{rule} or return undef;
	my $seen = substr($message, 0, 1) . substr($message, 5, 500);
	return undef if $self->{fired} || ($rule->{match} && $seen !~ /$rule->{match}/s);
	return undef if ++$self->{matched} < ($rule->{nth} // 1);
	$self->{fired} = $seen =~ s/[^ -~]+/ /gr;
	return $rule->{action};
}

1;
