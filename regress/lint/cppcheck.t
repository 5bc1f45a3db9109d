#!/bin/bash
# cppcheck finds nothing.
. regress/lint/tap.sh

# Later ones than Debian 12's 2.10 take an array for uninitialized that is handed on before it is filled;
# they tell, too, where they stopped looking.
later=()
case $(cppcheck --version) in
*' '2.[0-9] | *' '2.10) ;;
*) later=(--suppress=uninitvar --suppress=normalCheckLevelMaxBranches) ;;
esac

look() {
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--library=regress/lint/cppcheck.cfg \
		--suppress=preprocessorErrorDirective --suppress=invalidFunctionArgBool --suppress=legacyUninitvar --suppress=missingInclude "${later[@]}" \
		--error-exitcode=1 -I. -Icommon -Iapplier "$@"
}
check 'common and applier' look "${program_files[@]}"
check 'plugin' look -DPGDLLEXPORT= "${plugin_files[@]}"
finish
