#!/bin/bash
# cppcheck finds nothing.
. regress/lint/tap.sh

look() {
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--library=regress/lint/cppcheck.cfg \
		--suppress=preprocessorErrorDirective --suppress=invalidFunctionArgBool --suppress=legacyUninitvar --suppress=missingInclude \
		--error-exitcode=1 -I. -Icommon -Iapplier "$@"
}
check 'common and applier' look "${program_files[@]}"
check 'plugin' look -DPGDLLEXPORT= "${plugin_files[@]}"
finish
