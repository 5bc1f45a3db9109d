#!/bin/bash
# Every C file is as clang-format leaves it; `make format` makes it so.
. regress/lint/tap.sh

for file in "${all_files[@]}"; do
	check "$file" clang-format --dry-run --Werror "$file"
done
finish
