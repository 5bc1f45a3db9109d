#!/bin/bash
# clang-tidy finds nothing; .clang-tidy says what it looks for.
. regress/lint/tap.sh

for file in "${program_files[@]}"; do
	check "$file" clang-tidy --quiet "$file" -- $program_flags
done
for file in "${plugin_files[@]}"; do
	check "$file" clang-tidy --quiet "$file" -- $plugin_flags
done
finish
