#!/bin/bash
# Both compilers accept every file with strict warnings as errors.
. regress/lint/tap.sh

for compiler in gcc clang; do
	# -O2, because some warnings come from what the optimizer finds out.
	for file in "${program_files[@]}" "${test_files[@]}"; do
		check "$compiler $file" $compiler $program_flags $strict -O2 -c -o /dev/null "$file"
	done
	for file in "${plugin_files[@]}"; do
		check "$compiler $file" $compiler $plugin_flags $strict -O2 -c -o /dev/null "$file"
	done
done
finish
