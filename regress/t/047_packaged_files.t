#!/usr/bin/perl
# What the packages contain besides program and plugin: manual pages,
# examples, completion, unit.  They are made from the program and its documents.
use strict;
use warnings;

use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $program = "$ENV{SLUICE_BUILD}/sluice";
my $folder = tempdir(CLEANUP => 1);

sub output_of
{
	open my $pipe, '-|', @_ or die "cannot run $_[0]: $!";
	local $/;
	my $text = <$pipe>;
	return close $pipe ? $text // '' : undef;
}

sub text_of
{
	my ($path) = @_;
	open my $file, '<', $path or die "cannot read $path: $!";
	local $/;
	return <$file>;
}

# Checks cannot connect, but they come to that: the configuration is right.
sub is_configuration
{
	my ($text, $name) = @_;
	open my $file, '>', "$folder/task.yaml" or die;
	print $file $text =~ s/host=\w+/host=127.0.0.1 port=1/gr;
	close $file;
	my $said = `$program check -c $folder/task.yaml 2>&1`;
	is($? >> 8, 3, "$name: accepted") or diag($said);
}

my @verbs = output_of($program, '--help') =~ /^  sluice (\w+) .*  /mg;
cmp_ok(scalar @verbs, '>', 10, 'found verbs');

subtest 'manual pages' => sub {
	my $page = output_of('packaging/manual', 'sluice', $program);
	like($page, qr/^$_$/m, "sluice(1): verb $_") for @verbs;
	like($page, qr/--until/, 'sluice(1): options');
	like($page, qr/compare found a difference/, 'sluice(1): exit statuses');
	my @keys = text_of('applier/base/config_schema.c') =~ /^\t\{"([\w.\[\]]+)",/mg;
	cmp_ok(scalar @keys, '>', 30, 'found keys');
	$page = output_of('packaging/manual', 'sluice.yaml');
	like($page, qr/\Q$_\E/, "sluice.yaml(5): $_") for @keys;
	my ($table) = text_of('plugin/options.c') =~ /^\} option_table\[\] = \{(.*?)^\};/ms;
	my @options = ($table // '') =~ /\{"(\w+)"/g;
	cmp_ok(scalar @options, '>', 5, 'found options');
	$page = output_of('packaging/manual', 'sluice-plugin');
	like($page, qr/\Q$_\E/, "sluice-plugin(7): $_") for @options;
};

# Alerts and board: of metrics that the program has.
subtest 'alerts and board' => sub {
	my %known = map { $_ => 1 } text_of('applier/monitor/metrics.c') =~ /^\t\[METRIC_\w+\] = \{"(\w+)"/mg;
	$known{"sluice_batch_duration_seconds_$_"} = 1 for qw(sum count bucket);
	my $board = text_of('packaging/grafana/sluice.json');
	cmp_ok(scalar @{ decode_json($board)->{panels} }, '>', 5, 'the board has panels');
	for my $text ($board, text_of('packaging/prometheus/sluice.rules.yml'), text_of('packaging/prometheus/sluice.rules.test.yml'))
	{
		my @named = $text =~ /\b(sluice_\w+)/g;
		cmp_ok(scalar @named, '>', 8, 'found metrics');
		is_deeply([ grep { !$known{$_} } @named ], [], 'all of them exist');
	}
	SKIP: {
		skip 'no promtool', 1 unless grep { -x "$_/promtool" } split /:/, $ENV{PATH};
		my $said = `cd packaging/prometheus && promtool test rules sluice.rules.test.yml 2>&1`;
		is($?, 0, 'the alerts are raised, and not without cause') or diag($said);
	}
};

subtest 'examples' => sub {
	is_configuration(text_of('packaging/minimal.yaml'), 'minimal');
	my $full = output_of('packaging/example');
	is_configuration($full, 'full');
	is_configuration($full =~ s/#: //gr, 'full, with all keys set');
	for my $path (text_of('applier/base/config_schema.c') =~ /^\t\{"([\w.\[\]]+)",(?!.*\.refused = "\*")/mg)
	{
		my ($key) = $path =~ /(\w+)$/;
		like($full, qr/^\s*(?:#: )?(?:- )?$key:/m, "full: $path");
	}
};

subtest 'completion' => sub {
	my $complete = sub {
		my @words = @_;
		my $script = 'source packaging/completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sluice; echo "${COMPREPLY[@]}"';
		local $ENV{PATH} = "$ENV{SLUICE_BUILD}:$ENV{PATH}";
		return output_of('bash', '-c', $script, 'bash', @words) =~ s/\n//r;
	};
	is($complete->('sluice', 'stat'), 'status', 'a verb');
	is($complete->('sluice', 'help', 'comp'), 'compare', 'the verb of help');
	is($complete->('sluice', 'status', '--js'), '--json', 'an option');
	is($complete->('sluice', 'table', 're'), 'remove resync', 'what table does');
	my $all = ' ' . $complete->('sluice', '') . ' ';
	like($all, qr/ $_ /, "knows $_") for @verbs;
};

subtest 'versions' => sub {
	my ($version) = text_of('Makefile') =~ /^VERSION = (\S+)$/m;
	my $meta = decode_json(text_of('packaging/META.json'));
	is($meta->{version}, $version, 'META.json');
	is($meta->{provides}{sluice}{version}, $version, 'META.json, the plugin');
};

done_testing();
