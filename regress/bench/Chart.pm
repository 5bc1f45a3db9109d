# Charts as SVG: bars, in groups below each other; or curves over time, each in a panel of its own.
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
	return _document($left + $plot + $right, $y, $chart{title}, _legend($series, \%color, 48) . $body);
}

sub _document
{
	my ($width, $height, $title, $body) = @_;
	return qq(<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" viewBox="0 0 $width $height" font-family="sans-serif" font-size="12" fill="#202124">\n)
	  . qq(<rect width="$width" height="$height" fill="#ffffff"/>\n)
	  . _text(12, 22, $title, 'font-size' => 15, 'font-weight' => 'bold') . $body . "</svg>\n";
}

# ---- curves

my @mark_colors = @colors[2, 5];
my ($across, $panel_width, $panel_height, $plot_width, $plot_height) = (3, 300, 120, 270, 70);

# The highest value of each horizontal pixel, so that no peak is lost.
sub _path
{
	my ($points, $x_scale, $y_scale) = @_;
	my %highest;
	for (@$points) {
		my ($x, $value) = (int $_->[0] * $x_scale, $_->[1]);
		$highest{$x} = $value if !defined $highest{$x} || $value > $highest{$x};
	}
	return join ' ', map { sprintf '%d,%.1f', $_, $plot_height - $highest{$_} * $y_scale } sort { $a <=> $b } keys %highest;
}

sub _panel
{
	my ($panel, $minutes, $marks, $x, $y) = @_;
	my ($highest) = sort { $b <=> $a } map { $_->[1] } @{ $panel->{points} };
	my $x_scale = $plot_width / ($minutes || 1);
	my $out = qq(<g transform="translate($x $y)">\n) . _text(0, -6, $panel->{title}, 'font-weight' => 'bold')
	  . _text($plot_width, -6, sprintf($panel->{format} // '%.0f', $highest // 0), 'text-anchor' => 'end', 'font-size' => 11)
	  . qq(<rect width="$plot_width" height="$plot_height" fill="#f1f3f4"/>\n);
	for (@$marks) {
		my $at = sprintf '%.1f', $_->[0] * $x_scale;
		$out .= qq(<line x1="$at" x2="$at" y1="0" y2="$plot_height" stroke="$mark_colors[$_->[1]]" stroke-width="0.7"/>\n);
	}
	$out .= qq(<polyline points=") . _path($panel->{points}, $x_scale, $highest ? $plot_height / $highest : 0) . qq(" fill="none" stroke="$colors[1]" stroke-width="1.2"/>\n);
	return $out . _text(0, $plot_height + 13, '0', 'font-size' => 10) . _text($plot_width, $plot_height + 13, "$minutes min", 'text-anchor' => 'end', 'font-size' => 10) . "</g>\n";
}

# title, minutes; panels: { title, format of its highest value, points: [minute, value] }, from 0 to the highest value each;
# marks: [minute, kind] for vertical lines in all panels; kinds: what they mean.
sub over_time
{
	my (%chart) = @_;
	my $body = '';
	my %color;
	@color{ @{ $chart{kinds} } } = @mark_colors;
	for my $i (0 .. $#{ $chart{panels} }) {
		$body .= _panel($chart{panels}[$i], $chart{minutes}, $chart{marks}, 12 + $panel_width * ($i % $across), 84 + $panel_height * int($i / $across));
	}
	my $rows = int((@{ $chart{panels} } + $across - 1) / $across);
	return _document($panel_width * $across, 66 + $panel_height * $rows, $chart{title}, _legend($chart{kinds}, \%color, 48) . $body);
}

1;
