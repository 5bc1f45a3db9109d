# For the checks that are shell scripts: each assertion is a command.
set -u
count=0

# check NAME COMMAND...: ok when the command succeeds; else its output is shown.
check() {
	local name=$1 output
	shift
	count=$((count + 1))
	if output=$("$@" 2>&1); then
		echo "ok $count - $name"
	else
		echo "not ok $count - $name"
		head -n 60 <<<"$output" | sed 's/^/# /' >&2
	fi
}

finish() {
	[ $count -gt 0 ] || { echo "not ok - found nothing to check"; exit 1; }
	echo "1..$count"
}

# The files of the C code by where they stand.
shopt -s nullglob
program_files=(common/*.c applier/*/*.c)
plugin_files=(plugin/*.c)
test_files=(regress/unit/*.c regress/fuzz/*.c regress/bench/*.c)
all_files=(common/*.[ch] applier/*/*.[ch] plugin/*.[ch] regress/unit/*.[ch] regress/fuzz/*.[ch] regress/bench/*.c)

# What the Makefile compiles with; the server's headers are not ours to judge.
program_flags=$(make -s flags)
plugin_flags="-iquote . -iquote common -isystem $(${PG_CONFIG:-pg_config} --includedir-server) \
	-D_GNU_SOURCE -DSLUICE_VERSION=\"0\" -std=gnu11 -fvisibility=hidden"
strict='-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Werror'
