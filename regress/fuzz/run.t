#!/bin/bash
# Each fuzzer starts from its seeds and the corpus that longer searches have left, and
# looks for some seconds for an input that breaks a reader; FUZZ_SECONDS for more.
# The input found is shown in hex.
. regress/lint/tap.sh

fuzz() {
	local name=${1##*/fuzz_} folder
	folder=$(mktemp -d)
	mkdir "$folder/corpus"
	if [ -e "regress/fuzz/corpus/$name.tar.gz" ]; then
		tar -C "$folder/corpus" -xzf "regress/fuzz/corpus/$name.tar.gz" || return 1
	fi
	[ -d "regress/fuzz/seeds/$name" ] || { echo "no seeds in regress/fuzz/seeds/$name"; return 1; }
	if ! "$1" -max_total_time="${FUZZ_SECONDS:-20}" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$folder/found-" "$folder/corpus" "regress/fuzz/seeds/$name" >"$folder/log" 2>&1; then
		tail -n 40 "$folder/log"
		head -c 400 "$folder"/found-* | od -An -tx1
		return 1
	fi
	# A fuzzer that runs without getting anywhere proves nothing.
	awk '/number_of_executed_units/ { n = $2 } END { exit !(n > 1000) }' "$folder/log"
}

for fuzzer in build-fuzz/regress/fuzz/fuzz_*; do
	check "${fuzzer##*/}" fuzz "$fuzzer"
done
finish
