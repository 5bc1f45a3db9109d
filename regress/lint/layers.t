#!/usr/bin/perl
# Who may include whom.  regress/lint/layers is the table of the applier; the
# rest of the rules is in here.
use strict;
use warnings;

use Test::More;

# The only code that sees the libraries for I/O.
my %library_users = map { $_ => 1 } qw(loop connection connection_parts result replication);
my $libraries = qr/^(uv\.h|uv\/.*|libpq-fe\.h|libpq\/.*)$/;

# common/ stands on the C library alone, but for the compression of frames.
my $standard = qr/^(assert|ctype|errno|float|inttypes|limits|math|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|lz4)\.h$/;

my %layers;
read_table($ENV{LAYERS} // 'regress/lint/layers');

sub read_table
{
	my ($path) = @_;
	open my $file, '<', $path or die "cannot read $path: $!";
	while (my $line = <$file>)
	{
		next if $line =~ /^\s*(#|$)/;
		my ($layer, @folders) = split ' ', $line;
		@layers{@folders} = ($layer) x @folders;
	}
}

sub folder_of
{
	my ($path) = @_;
	return $path =~ m{^applier/(\w+)/\w+\.[ch]$} ? $1 : '';
}

# Where a quoted include leads: the folder of the file, then the include path.
sub resolve
{
	my ($include, $from) = @_;
	my ($folder) = $from =~ m{^(.*)/};
	for my $path ("$folder/$include", $include, "common/$include", "applier/$include")
	{
		return $path =~ s{[^/]+/\.\./}{}gr if -e $path;
	}
	return $include;
}

sub complaints
{
	my ($path) = @_;
	my ($folder, $name) = $path =~ m{^(\w+)/(.*)\.[ch]$};
	$name =~ s{.*/}{};
	my @found;
	push @found, "$path is in no layer of regress/lint/layers"
	  if $folder eq 'applier' && !$layers{folder_of($path)};
	open my $file, '<', $path or die "cannot read $path: $!";
	while (my $line = <$file>)
	{
		next unless $line =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/;
		my $why = $1 eq '<' ? angle($folder, $name, $2) : quoted($folder, $path, resolve($2, $path));
		push @found, "$path:$.: $why" if $why;
	}
	return @found;
}

sub angle
{
	my ($folder, $name, $include) = @_;
	return "common/ includes <$include>" if $folder eq 'common' && $include !~ $standard;
	return "<$include> outside of the I/O layer"
	  if $folder eq 'applier' && $include =~ $libraries && !$library_users{$name};
	return '';
}

sub quoted
{
	my ($folder, $path, $include) = @_;
	return "libpq or libuv included with quotes" if $folder ne 'plugin' && $include =~ $libraries;
	return "includes $include: nothing knows plugin/" if $folder ne 'plugin' && $include =~ m{^plugin/};
	return "includes $include: common/ knows nobody" if $folder eq 'common' && $include !~ m{^common/};
	return "includes $include: plugin/ knows only common/" if $folder eq 'plugin' && $include =~ m{^applier/};
	return '' unless $folder eq 'applier' && $include =~ m{^applier/};
	my ($from, $to) = (folder_of($path), folder_of($include));
	my ($mine, $its) = ($layers{$from} // 0, $layers{$to} // 99);
	return "layer $mine includes $include of layer $its" if $its > $mine;
	return $its == $mine && $from ne $to ? "$include is of the same layer, in another folder" : '';
}

my @files = (glob('common/*.[ch]'), glob('applier/*.[ch] applier/*/*.[ch]'), glob('plugin/*.[ch]'));
for my $path (@files)
{
	my @found = complaints($path);
	is(join("\n", @found), '', $path);
}

# The check itself would notice.
is($layers{folder_of('applier/io/loop.c')}, 2, 'the table is read');
is(folder_of('applier/loop.c'), '', 'a file outside of the folders has no layer');
like(quoted('applier', 'applier/base/arena.c', 'applier/verbs/verbs.h'), qr/layer 1 .* layer 10/, 'looking up is found');
like(quoted('applier', 'applier/copy/copy_job.c', 'applier/schema/schema_types.h'), qr/same layer/, 'and looking aside');
is(quoted('applier', 'applier/copy/copy_job.c', 'applier/copy/copy_pipe.h'), '', 'but not within a folder');
ok(-d "applier/$_", "$_ is there") for sort keys %layers;
like(angle('applier', 'batch', 'uv.h'), qr/outside/, 'a library above its layer is found');
like(angle('common', 'change', 'postgres.h'), qr/common/, 'a server header in common/ is found');

done_testing();
