#!/bin/bash
# The plugin shows the server what the server looks up, and nothing else.
. regress/lint/tap.sh

symbols() {
	nm -D --defined-only "$SLUICE_BUILD/plugin/sluice.so" | awk '{ print $3 }' | LC_ALL=C sort | tr '\n' ' '
}
exports_only() {
	symbols
	[ "$(symbols)" = "$1" ]
}
check 'sluice.so' exports_only 'Pg_magic_func _PG_output_plugin_init '
finish
