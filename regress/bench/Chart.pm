# Bar charts as SVG: groups below each other, in each one bar for each series.
package Chart;

use strict;
use warnings;

my @colors = map { "#$_" } qw(9aa0a6 1a73e8 e8710a a142f4 188038 d93025);
my ($bar, $gap, $left, $plot, $right) = (16, 14, 190, 460, 110);

sub escape
{
	my ($text) = @_;
	my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');
	return $text =~ s/([&<>"])/$entity{$1}/gr;
}

sub _text
{
	my ($x, $y, $text, %attributes) = @_;
	my $more = join '', map { qq( $_="$attributes{$_}") } sort keys %attributes;
	return qq(<text x="$x" y="$y"$more>) . escape($text) . "</text>\n";
}

# The colour of each series, which is its place unless it is asked for.
sub _legend
{
	my ($series, $color, $y) = @_;
	my ($x, $out) = (12, '');
	for my $name (@$series) {
		$out .= qq(<rect x="$x" y="@{[$y - 10]}" width="12" height="12" fill="$color->{$name}"/>\n) . _text($x + 17, $y, $name);
		$x += 40 + 7 * length $name;
	}
	return $out;
}

sub _group
{
	my ($group, $series, $color, $value, $scale, $y) = @_;
	my @there = grep { defined $value->($group, $_) } @$series;
	my $out = _text($left - 10, $y + @there * $bar / 2 + 4, $group, 'text-anchor' => 'end', 'font-weight' => 'bold');
	for my $name (@there) {
		my ($number, $text) = @{ $value->($group, $name) };
		my $width = sprintf '%.1f', $number * $scale;
		$out .= qq(<rect x="$left" y="$y" width="$width" height="@{[$bar - 2]}" fill="$color->{$name}"><title>) . escape("$group, $name: $text") . "</title></rect>\n";
		$out .= _text($left + $width + 5, $y + $bar - 4, $text, 'font-size' => 11);
		$y += $bar;
	}
	return ($out, $y + $gap);
}

# title, unit, groups, series: names; value: a function of group and series that returns
# [number, text], or undef where there is none.
sub draw
{
	my (%chart) = @_;
	my ($groups, $series, $value) = @chart{qw(groups series value)};
	my %color;
	@color{@$series} = @colors;
	my $highest = 0;
	for my $group (@$groups) {
		for my $cell (map { $value->($group, $_) } @$series) {
			$highest = $cell->[0] if $cell && $cell->[0] > $highest;
		}
	}
	my $body = '';
	my $y = 70;
	for my $group (@$groups) {
		(my $drawn, $y) = _group($group, $series, \%color, $value, $highest ? $plot / $highest : 0, $y);
		$body .= $drawn;
	}
	my $width = $left + $plot + $right;
	return qq(<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$y" viewBox="0 0 $width $y" font-family="sans-serif" font-size="12" fill="#202124">\n)
	  . qq(<rect width="$width" height="$y" fill="#ffffff"/>\n)
	  . _text(12, 22, $chart{title}, 'font-size' => 15, 'font-weight' => 'bold')
	  . _legend($series, \%color, 48) . $body . "</svg>\n";
}

1;
