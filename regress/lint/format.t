#!/bin/bash
# Every C file is as clang-format leaves it; `make format` makes it so.  Each
# version has ideas of its own: what counts is Debian 12's.
. regress/lint/tap.sh

version=$(clang-format --version | sed -n 's/.*version \([0-9]*\).*/\1/p')
if [ "$version" != 14 ]; then
	echo "1..0 # SKIP clang-format 14 says what the format is, and this is ${version:-none}"
	exit
fi

for file in "${all_files[@]}"; do
	check "$file" clang-format --dry-run --Werror "$file"
done
finish
