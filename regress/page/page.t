#!/usr/bin/perl
# The daemon's page in a real Chromium: what it shows of each phase, from a server that answers as the daemon does.
# SCREENSHOTS=FOLDER keeps a picture of each, light and dark; STATES=streaming,held runs a few.
use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
plan skip_all => 'no chromium: "make check-page" installs it' unless $chromium;

my $folder = tempdir(CLEANUP => 1);
my $now = time;
my $page = do { local (@ARGV, $/) = ("$FindBin::RealBin/../../applier/monitor/page.html"); <> };

sub at { return POSIX::strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime($now - $_[0])); }

sub table
{
	my ($source, $state, %more) = @_;
	return { source => $source, target => $source, state => $state, rows_copied => 120000, rows_expected => undef,
		rows_per_second => undef, seconds_left => undef, step => undef, dead_rows => 0, upkeep => undef, indexing => undef, error => undef, compared => undef, %more };
}

my @streaming = (
	table('public.customers', 'streaming', compared => { at => at(7200), lsn => '0/1A2B3C8', equal => JSON::PP::true }),
	table('public.orders', 'streaming', target => 'dw.ods_orders', rows_copied => 1843000),
	table('sales.returns', 'streaming', compared => { at => at(90000), lsn => '0/1A2B3C8', equal => JSON::PP::false }));

sub status
{
	my ($phase, %more) = @_;
	return { task => 'orders', time => at(0), version => '0.1.0', pid => 4711, phase => $phase, phase_since => at(600),
		waiting_for => undef, waiting_since => undef, applied_lsn => '0/1A2B3C8', received_lsn => '0/1A2B4D0', confirmed_lsn => '0/1A2B3C8',
		source_lsn => '0/1A2B4D0', sampled_at => at(2), lag_bytes => 264, lag_seconds => 0.4, retained_wal_bytes => 50331648,
		safe_wal_bytes => undef, retained_wal_warning => JSON::PP::false, wal_status => 'reserved', oldest_transaction => undef,
		oldest_transaction_seconds => undef, transactions_total => 982113, changes_total => 5821734, transactions_per_second => 812.5,
		changes_per_second => 4310.2, received_bytes_per_second => 1048576, source_version => 'PostgreSQL 15.4',
		destination_version => 'greenplum6 (PostgreSQL 9.4.26)', last_error => undef, source_error => undef,
		tables => \@streaming, %more };
}

my $refused = 'cannot connect to the destination gp1:5432/dw: connection refused';
my %states = (
	copying => status('copying', applied_lsn => undef, lag_bytes => undef, lag_seconds => undef, changes_per_second => 0, tables => [
		table('public.customers', 'streaming'), table('public.plain', 'waiting', rows_copied => 0),
		table('public.orders', 'copying', rows_copied => 400000, rows_expected => 1000000, rows_per_second => 50000, seconds_left => 12),
		table('public.visits', 'copying', rows_copied => 50000, rows_expected => 50000, rows_per_second => 50000, seconds_left => 0, step => 'building indexes') ]),
	streaming => status('streaming'),
	paused => status('paused', changes_per_second => 0, retained_wal_bytes => 17179869184, retained_wal_warning => JSON::PP::true, lag_seconds => 4000),
	retrying => status('retrying', changes_per_second => 0, waiting_for => 'the next attempt', waiting_since => at(20), last_error => $refused, lag_seconds => 65),
	held => status('streaming', tables => [ @streaming,
		table('public.<script>', 'held', error => 'the target lacks column "total"; add it, and it is copied again') ]),
	failed => status('failed', changes_per_second => 0, last_error => 'slot "sluice_orders" is gone: the changes after 0/1A2B3C8 are lost'),
	# It knows nothing but that another daemon holds the task.
	standby => status('standby', waiting_for => 'the daemon that holds the task', waiting_since => at(600), tables => [],
		(map { $_ => undef } qw(applied_lsn received_lsn confirmed_lsn source_lsn sampled_at lag_bytes lag_seconds retained_wal_bytes
			wal_status transactions_total changes_total transactions_per_second changes_per_second received_bytes_per_second source_version
			destination_version))),
	many => status('streaming', tables => [ map { table(sprintf('public.table_%04d', $_), 'streaming') } 1 .. 1000 ]),
);
# Counts what a refresh changes in the list of tables.
my $observer = <<'END';
<script>
const watcher = new MutationObserver(list => { document.body.dataset.mutations = Number(document.body.dataset.mutations) + list.length; });
new MutationObserver(() => {
	if (document.body.dataset.refreshed !== '1' || document.body.dataset.mutations) return;
	document.body.dataset.mutations = 0;
	watcher.observe(document.getElementById('tables'), { childList: true, subtree: true, characterData: true, attributes: true });
}).observe(document.body, { attributes: true });
</script>
END
my $history = { interval_seconds => 60, points => [ map { [ int($now) - 60 * $_, 2 + sin($_ / 40) + ($_ % 97 == 0 ? 6 : 0), 4096, 4000 ] }
	reverse 1 .. 700 ],
	definitions => [ { time => at(4000), table => 'public.orders', text => 'ALTER TABLE dw.ods_orders ADD COLUMN note text' } ],
	errors => [ { time => at(5000), text => $refused } ] };

# Each connection has a process of its own; it ends with the test.
my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 32, ReuseAddr => 1) or die "cannot listen: $!";
my $port = $socket->sockport;
my $parent = $$;
my $server = fork // die "cannot fork: $!";
if (!$server)
{
	local $SIG{CHLD} = 'IGNORE';
	while (my $client = $socket->accept)
	{
		next if fork;
		my $head = '';
		while (defined(my $line = <$client>)) { $head .= $line; last if $line =~ /^\r?\n/; }
		my ($path) = $head =~ m{^GET (\S+)};
		my ($state) = $head =~ m{\bstate=(\w+)};
		my ($type, $body) = ('application/json', '');
		if (($path // '') =~ m{^/\?state=(\w+)}) { ($type, $body) = ("text/html; charset=utf-8\r\nSet-Cookie: state=$1", $page . ($1 eq 'many' ? $observer : '')); }
		elsif (($path // '') eq '/status' && ($state // '') eq 'many')
		{
			# One table of the thousand differs each time.
			$states{many}{tables}[500]{rows_copied} = int(time * 1000);
			$body = encode_json($states{many});
		}
		elsif (($path // '') eq '/status') { $body = encode_json($states{ $state // '' } // {}); }
		elsif (($path // '') eq '/history') { $body = encode_json($history); }
		print $client "HTTP/1.1 200 OK\r\nContent-Type: $type\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
		close $client;
		POSIX::_exit(0);
	}
	POSIX::_exit(0);
}
END { if ($server && $$ == $parent) { my $status = $?; kill 'TERM', $server; waitpid $server, 0; $? = $status; } }

my $runs = 0;

sub chromium
{
	my ($state, @options) = @_;
	my $profile = "$folder/profile-" . ++$runs;
	local $ENV{HOME} = $folder;
	open my $out, '-|', 'timeout', '60', $chromium, qw(--headless --no-sandbox --disable-gpu --no-first-run --disable-dev-shm-usage
	  --disable-background-networking --disable-component-update --disable-sync --window-size=1100,900 --virtual-time-budget=3000),
	  "--user-data-dir=$profile", '--log-level=3', @options, "http://127.0.0.1:$port/?state=$state"
	  or die "cannot run chromium: $!";
	local $/;
	my $text = <$out> // '';
	close $out;
	return $text;
}

my %expected = (
	copying => [ qr{id="phase"[^>]*>copying<}, qr{<progress[^>]*max="1000000"}, qr{400,000 of about 1,000,000, 12\.0 s left}, qr{50,000 of about 50,000, building indexes}, qr{1 waiting},
		qr{nothing applied yet} ],
	streaming => [ qr{id="phase" class="phase good"[^>]*>streaming<}, qr{0\.40 s}, qr{4,310 changes/s}, qr{dw\.ods_orders}, qr{equal, 2\.0 h ago|equal, 120 min ago},
		qr{different, 25\.0 h ago}, qr{<path d="M}, qr{ADD COLUMN note text}, qr{source PostgreSQL 15\.4} ],
	paused => [ qr{class="phase warn"[^>]*>paused<}, qr{<[^>]*id="retained" class="bad"[^>]*>16\.0 GB} ],
	retrying => [ qr{class="phase bad"[^>]*>retrying<}, qr{waiting for the next attempt, for 20\.0 s}, qr{Trying again after}, qr{connection refused} ],
	held => [ qr{1 held}, qr{the target lacks column "total"}, qr{public\.&lt;script&gt;} ],
	failed => [ qr{class="phase bad"[^>]*>failed<}, qr{Last error}, qr{slot "sluice_orders" is gone} ],
	standby => [ qr{class="phase warn"[^>]*>standby<}, qr{waiting for the daemon that holds the task, for 10 min}, qr{id="lag">not known}, qr{id="transactions" class="quiet"></span>},
		qr{id="count"[^>]*>[^0-9<]+<} ],
);
for my $state ($ENV{STATES} ? split(/,/, $ENV{STATES}) : sort keys %expected)
{
	my $dom = chromium($state, '--dump-dom');
	unlike($dom, qr{id="stale"[^>]*>no answer}, "$state: the daemon's answers are understood");
	like($dom, $_, "$state: $_") for @{ $expected{$state} };
	next unless $ENV{SCREENSHOTS};
	chromium($state, "--screenshot=$ENV{SCREENSHOTS}/$state.png");
	chromium($state, "--screenshot=$ENV{SCREENSHOTS}/$state-dark.png", '--force-dark-mode', '--blink-settings=preferredColorScheme=0');
}

# A refresh touches what differs and nothing else: nothing flickers, a selection stays.
my $many = chromium('many', '--dump-dom', '--virtual-time-budget=14000');
my ($refreshed) = $many =~ /data-refreshed="(\d+)"/;
my ($mutations) = $many =~ /data-mutations="(\d+)"/;
cmp_ok($refreshed // 0, '>=', 2, 'a thousand tables: the page refreshes');
cmp_ok($mutations // 0, '>=', 1, 'the table that differs is shown');
cmp_ok($mutations // 1000, '<=', 2 * ($refreshed // 0), 'and no other is touched');
is(scalar(my @names = $many =~ /public\.table_\d+</g), 1000, 'all are there');

done_testing();
