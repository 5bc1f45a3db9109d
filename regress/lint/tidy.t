#!/bin/bash
# clang-tidy finds nothing; .clang-tidy says what it looks for.  Its analyzer
# takes twenty times as long as all the rest and is left to FULL=1.
. regress/lint/tap.sh

checks=()
[ -n "${FULL-}" ] || checks=('--checks=-clang-analyzer-*')

for file in "${program_files[@]}"; do
	check "$file" clang-tidy --quiet "${checks[@]}" "$file" -- $program_flags
done
for file in "${plugin_files[@]}"; do
	check "$file" clang-tidy --quiet "${checks[@]}" "$file" -- $plugin_flags
done
finish
