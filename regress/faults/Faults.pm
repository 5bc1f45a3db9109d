# The faults of the campaign: what may befall the program, both servers and what lies between them in one round.
# A fault has a beginning, and an end if it lasts; it lasts until the next fault begins or the traffic has ended.
package Faults;

use strict;
use warnings;

use Time::HiRes qw(sleep);

sub one_of { return $_[ int rand @_ ]; }

# weight, kind, name, what it needs ('' | own: of both servers | disk | standby | command), beginning, end.
our @all = (
	[ 5, 'process', 'kill -9', '', sub { $_[0]->kill_daemon } ],
	[ 2, 'process', 'kill -9 again and again', '', sub { my ($c) = @_; for (1 .. 3) { $c->kill_daemon; sleep rand 0.3; } } ],
	[ 3, 'process', 'SIGTERM', '', sub { $_[0]->stop_daemon } ],
	[ 2, 'process', 'SIGSTOP of the daemon', '', sub { $_[0]->signal_daemon('STOP') }, sub { $_[0]->signal_daemon('CONT') } ],
	[ 3, 'process', 'kill -9 of a walsender', 'own', sub { my ($c) = @_; kill 'KILL', $c->sessions('source', "backend_type = 'walsender'") } ],
	[ 3, 'process', 'kill -9 of a destination backend', 'own', sub { my ($c) = @_; my @pids = $c->sessions('destination'); kill 'KILL', one_of(@pids) if @pids } ],
	[ 2, 'process', 'SIGSTOP of a walsender', 'own',
		sub { my ($c) = @_; kill 'STOP', @{ $c->{frozen} = [ $c->sessions('source', "backend_type = 'walsender'") ] } }, sub { kill 'CONT', @{ $_[0]{frozen} } } ],
	[ 2, 'process', 'SIGSTOP of destination backends', 'own',
		sub { my ($c) = @_; kill 'STOP', @{ $c->{frozen} = [ $c->sessions('destination') ] } }, sub { kill 'CONT', @{ $_[0]{frozen} } } ],

	[ 6, 'process', 'kill -9, and its standby takes over', 'standby', sub { $_[0]->hand_over('kill') } ],
	[ 3, 'process', 'SIGTERM, and its standby takes over', 'standby', sub { $_[0]->hand_over('stop') } ],
	[ 3, 'process', 'SIGSTOP, and its standby takes over', 'standby', sub { $_[0]->hand_over('freeze') } ],

	[ 4, 'session', 'a session terminated at the source', '', sub { $_[0]->signal_session('source', 'pg_terminate_backend') } ],
	[ 4, 'session', 'a session terminated at the destination', '', sub { $_[0]->signal_session('destination', 'pg_terminate_backend') } ],
	[ 2, 'session', 'all sessions terminated', '', sub { my ($c) = @_; $c->signal_session($_, 'pg_terminate_backend', 100) for 'source', 'destination' } ],
	[ 2, 'session', 'statements cancelled at the source', '', sub { my ($c) = @_; for (1 .. 5) { $c->signal_session('source', 'pg_cancel_backend', 100); sleep rand 0.1 } } ],
	[ 3, 'session', 'statements cancelled at the destination', '', sub { my ($c) = @_; for (1 .. 5) { $c->signal_session('destination', 'pg_cancel_backend', 100); sleep rand 0.1 } } ],

	# Servers hear in the end that a connection is half closed: meanwhile a daemon that was killed, too, is not followed by another.
	(map {
		my $end = $_;
		(
			[ 2, 'network', "cut, $end", '', sub { $_[0]{proxy}{$end}->cut } ],
			[ $end eq 'source' ? 1 : 2, 'network', "half closed, $end", '', sub { $_[0]{proxy}{$end}->half }, sub { $_[0]{proxy}{$end}->cut } ],
			[ 2, 'network', "held, $end", '', sub { $_[0]{proxy}{$end}->stall }, sub { $_[0]{proxy}{$end}->resume } ],
			[ 1, 'network', "held and cut, $end", '', sub { $_[0]{proxy}{$end}->stall }, sub { $_[0]{proxy}{$end}->cut } ],
			[ 2, 'network', "refused, $end", '', sub { my $p = $_[0]{proxy}{$end}; $p->welcome('refuse'); $p->cut }, sub { $_[0]{proxy}{$end}->welcome('pass') } ],
			[ 1, 'network', "new connections held, $end", '', sub { my $p = $_[0]{proxy}{$end}; $p->welcome('stall'); $p->cut },
				sub { my $p = $_[0]{proxy}{$end}; $p->welcome('pass'); $p->resume } ],
			[ 3, 'network', "cut at a message, $end", '', sub { $_[0]->at_message($end, action => one_of('cut', 'half'), when => one_of('before', 'after'), nth => 1 + int rand 60) },
				sub { $_[0]->end_rule($end, 1) } ],
			[ 2, 'process', "kill -9 at a message, $end", '', sub { $_[0]->at_message($end, action => 'kill', when => one_of('before', 'after'), nth => 1 + int rand 60) },
				sub { $_[0]->end_rule($end) } ],
		)
	} 'source', 'destination'),
	[ 6, 'network', 'cut after COMMIT', '', sub { $_[0]->at_commit(action => one_of('cut', 'half'), when => 'after') }, sub { $_[0]->end_rule('destination', 1) } ],
	[ 2, 'network', 'cut before COMMIT', '', sub { $_[0]->at_commit(action => one_of('cut', 'half'), when => 'before') }, sub { $_[0]->end_rule('destination', 1) } ],
	[ 3, 'network', 'a late COMMIT', '', sub { $_[0]->at_commit(action => 'late', when => 'before') },
		sub { $_[0]{proxy}{destination}->deliver; $_[0]->end_rule('destination') } ],
	[ 3, 'process', 'kill -9 at COMMIT', '', sub { $_[0]->at_commit(action => 'kill', when => one_of('before', 'after')) }, sub { $_[0]->end_rule('destination') } ],

	[ 3, 'disk', 'no room to spill', '', sub { $_[0]->fill_spill_disk }, sub { $_[0]->empty_spill_disk } ],
	[ 3, 'disk', 'no room at the destination', 'disk', sub { $_[0]->fill('tables') }, sub { $_[0]->unfill('tables') } ],

	[ 2, 'role', 'no login at the destination', 'own', sub { $_[0]->take_login('destination', 'NOLOGIN') }, sub { $_[0]->give_login('destination', 'LOGIN') } ],
	[ 2, 'role', 'no login at the source', 'own', sub { $_[0]->take_login('source', 'NOLOGIN') }, sub { $_[0]->give_login('source', 'LOGIN') } ],
	[ 1, 'role', 'no replication at the source', 'own', sub { $_[0]->take_login('source', 'NOREPLICATION') }, sub { $_[0]->give_login('source', 'REPLICATION') } ],
	[ 1, 'role', 'no connections left for it', 'own', sub { $_[0]->take_login('destination', 'CONNECTION LIMIT 0') }, sub { $_[0]->give_login('destination', 'CONNECTION LIMIT -1') } ],
	[ 2, 'role', 'no rights on a target', 'own', sub { $_[0]->take_right('destination') }, sub { $_[0]->give_right } ],
	[ 2, 'role', 'no rights on a source table', 'own', sub { $_[0]->take_right('source') }, sub { $_[0]->give_right } ],
	[ 1, 'role', 'a read-only destination', 'own', sub { $_[0]->take_login('destination', 'SET default_transaction_read_only = on') },
		sub { $_[0]->give_login('destination', 'RESET default_transaction_read_only') } ],

	[ 2, 'target', 'a target that refuses rows', '', sub { $_[0]->refuse }, sub { $_[0]->accept } ],
	[ 1, 'target', 'a target dropped', '', sub { $_[0]->lose_target('DROP TABLE') } ],
	[ 1, 'target', 'a target emptied', '', sub { $_[0]->lose_target('TRUNCATE ONLY') } ],

	[ 2, 'server', 'crash of the source', 'own', sub { $_[0]->restart('immediate', 'source') } ],
	[ 2, 'server', 'crash of the destination', 'own', sub { $_[0]->restart('immediate', 'destination') } ],
	[ 1, 'server', 'crash of both', 'own', sub { $_[0]->restart('immediate', 'source', 'destination') } ],
	[ 1, 'server', 'restart of the source', 'own', sub { $_[0]->restart('fast', 'source') } ],
	[ 1, 'server', 'restart of the destination', 'own', sub { $_[0]->restart('fast', 'destination') } ],
	[ 20, 'server', 'FAULT_COMMAND', 'command', sub { $_[0]->fault_command('break', int rand 1000) }, sub { $_[0]->fault_command('repair') } ],

	[ 5, 'request', 'resync', '', sub { my ($c) = @_; $c->ask('table', 'resync', $c->any_table) for 1 .. 1 + int rand 2 } ],
	[ 1, 'request', 'remove and add', '', sub { my ($c) = @_; my $table = $c->any_table; $c->ask('table', 'remove', $table); sleep rand 0.3; $c->ask('table', 'add', $table) } ],
	[ 1, 'request', 'pause', '', sub { $_[0]->ask('pause') }, sub { $_[0]->ask('resume') } ],
	[ 2, 'request', 'reload', '', sub { $_[0]->reload('verb') } ],
	[ 1, 'request', 'reload by SIGHUP', '', sub { $_[0]->reload('signal') } ],
);

1;
