#!/bin/bash
# Every script can at least be read by its interpreter.
. regress/lint/tap.sh

parses() {
	case $(head -n 1 "$1") in
	'#!/bin/bash') bash -n "$1" ;;
	'#!/usr/bin/perl') SLUICE_COMPILING=1 perl -c "$1" ;;
	*) echo "not begun with #!/bin/bash or #!/usr/bin/perl"; return 1 ;;
	esac
}
runs() { # a test that cannot be executed would be left out in silence elsewhere
	[ -x "$1" ] || { echo "not executable"; return 1; }
	parses "$1"
}
for file in .ci/run regress/packages regress/run regress/coverage regress/each regress/*/run regress/*/*.t \
	$(regress/bench/report --sections | sed 's,[^ ]*,regress/bench/&,g') regress/bench/{report,publish} regress/foreign/fetch regress/memcheck/{build,errors}; do
	check "$file" runs "$file"
done
finish
