#!/bin/bash
# Both compilers accept every file with strict warnings as errors.  FULL=1 lets
# them optimize, too: some warnings come from what the optimizer finds out.
. regress/lint/tap.sh

how='-fsyntax-only'
[ -z "${FULL-}" ] || how='-O2 -c -o /dev/null'

for compiler in gcc clang; do
	for file in "${program_files[@]}" "${test_files[@]}"; do
		check "$compiler $file" $compiler $program_flags $strict $how "$file"
	done
	for file in "${plugin_files[@]}"; do
		check "$compiler $file" $compiler $plugin_flags $strict $how "$file"
	done
done
finish
