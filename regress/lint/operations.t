#!/usr/bin/perl
# docs/operations.md names every check, every field of status, every verb and
# every state that the program has.
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
documented('field of status', text_of('applier/verbs/verb_status.c') =~ /(?:put_(?:field|number)\(out, |\\)"(\w+)\\?"/g);
documented('state', text_of('applier/tables/catalog.c') =~ /\[TABLE_\w+\]\s*=\s*"(\w+)"/g);

my @verbs = text_of('applier/verbs/main.c') =~ /^\t\{"(\w+)", "[^"]*", OPTION/mg;
cmp_ok(scalar @verbs, '>', 4, 'found verbs');
like($page, qr/^## $_$/m, "verb $_") for @verbs;

done_testing();
