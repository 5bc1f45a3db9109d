#!/usr/bin/perl
# The words of regress/lint/words are in no file of the program, the plugin, the tests or the documents.
use strict;
use warnings;

use Test::More;

my @words;
open my $list, '<', 'regress/lint/words' or die "cannot read regress/lint/words: $!";
while (my $line = <$list>)
{
	next if $line =~ /^\s*(#|$)/;
	chomp $line;
	my ($pattern, $instead) = split /\t/, $line;
	push @words, [ qr/\b(?:$pattern)\b/i, $instead // die "regress/lint/words:$.: no tab" ];
}
cmp_ok(scalar @words, '>', 0, 'found words');

sub complaints
{
	my ($text) = @_;
	my @found;
	for my $word (@words)
	{
		push @found, 'line ' . (1 + (substr($text, 0, $-[0]) =~ tr/\n//)) . ": \"$&\": say $word->[1]"
		  while $text =~ /$word->[0]/g;
	}
	return @found;
}

my @files = glob('README.md CHANGELOG.md CONTRIBUTING.md docs/*.md common/*.[ch] plugin/*.[ch] applier/*/*.[ch] regress/unit/*.[ch]');
for my $path (@files)
{
	open my $file, '<', $path or die "cannot read $path: $!";
	local $/;
	is(join("\n", complaints(scalar <$file>)), '', $path);
}

# The check itself would notice.
like((complaints("a\nthe Newcomer"))[0] // '', qr/^line 2: "Newcomer": say new table$/, 'a word is found');
done_testing();
