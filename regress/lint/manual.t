#!/usr/bin/perl
# The manual against the tables that the programs work by: docs/operations.md has every check, every
# field of status, every state, every verb and its options, docs/plugin.md every option of the plugin and its
# values.  (docs/configuration.md: regress/unit/test_config.c.)
use strict;
use warnings;

use Test::More;

sub text_of
{
	return join '', map {
		open my $file, '<', $_ or die "cannot read $_: $!";
		local $/;
		<$file>
	} @_;
}

my $page = text_of('docs/operations.md');

sub documented
{
	my ($what, @names) = @_;
	my %seen;
	@names = grep { !$seen{$_}++ } @names;
	cmp_ok(scalar @names, '>', 4, "found ${what}s");
	like($page, qr/`\Q$_\E`/, "$what $_") for @names;
}

documented('check', text_of(glob 'applier/precheck/*.c') =~ /precheck_add\(\s*c,[^";]*"([^"]+)"/g);
documented('field of status', text_of('applier/monitor/status_view.c') =~ /put_(?:text|count|real|flag|lsn|time)\(out, "(\w+)"/g);
documented('state', text_of('applier/tables/table_state.c') =~ /\[TABLE_\w+\]\s*=\s*\{"\w+", "(\w+)"/g);

documented('setting of sessions', text_of('applier/dialect/session_settings.c') =~ /\{\.name = "(\w+)"/g);

my ($classes) = text_of('applier/base/sqlstate.c') =~ /\} classes\[\] = \{(.*?)^\};/ms;
documented('SQLSTATE', $classes =~ /\{"(\w+)"/g, 'XX000');

my @verbs = text_of('applier/verbs/main.c') =~ /^\t\{"(\w+)", "[^"]*",\s+OPTION/mg;
cmp_ok(scalar @verbs, '>', 4, 'found verbs');
like($page, qr/^## $_$/m, "verb $_") for @verbs;

# The part of the page that is a verb's own.
sub section
{
	my ($verb) = @_;
	return $page =~ /^## \Q$verb\E$(.*?)(?=^## |\z)/ms ? $1 : '';
}

my $main = text_of('applier/verbs/main.c');
my %options = $main =~ /^\t\{(OPTION_\w+), "([\w-]+)"/mg;
cmp_ok(scalar keys %options, '>', 4, 'found options');
while ($main =~ /^\t\{"(\w+)", "[^"]*",\s+([A-Z_\s|]+),/mg)
{
	my ($verb, $bits) = ($1, $2);
	like(section($verb), qr/--$options{$_}\b/, "verb $verb has --$options{$_}")
	  for grep { exists $options{$_} && $_ ne 'OPTION_CONFIG' } split /\s*\|\s*/, $bits;
}

my $plugin = text_of('docs/plugin.md');
my ($table) = text_of('plugin/options.c') =~ /^\} option_table\[\] = \{(.*?)^\};/ms;
my @plugin_options = ($table // '') =~ /\{"(\w+)"/g;
cmp_ok(scalar @plugin_options, '>', 4, 'found options of the plugin');
like($plugin, qr/^\| `$_` \|/m, "plugin's option $_") for @plugin_options;

my $monitoring = text_of('docs/monitoring.md');
my %metrics = text_of('applier/monitor/metrics.c') =~ /^\t\[METRIC_\w+\] = \{"(\w+)", METRIC_\w+, "([^"]*)"/mg;
cmp_ok(scalar keys %metrics, '>', 20, 'found metrics');
like($monitoring, qr/^\| `$_` \|.*\| \Q$metrics{$_}\E \|$/m, "metric $_") for sort keys %metrics;

done_testing();
