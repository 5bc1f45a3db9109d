#!/bin/bash
# In the applier only base/memory.c asks for memory: whatever fails to get some ends the process there.
. regress/lint/tap.sh

applier_files=(applier/*/*.[ch])

# none PATTERN ALLOWED_FILE...: no line of the applier has it, but for those of these files.
none() {
	local pattern=$1 found
	shift
	found=$(grep -nP "$pattern" "${applier_files[@]}" | grep -v $(printf -- '-e ^%s: ' "$@"))
	[ -z "$found" ] || { echo "$found"; return 1; }
}
raw='(?<![\w"])(malloc|calloc|realloc|reallocarray|aligned_alloc|strdup|strndup|asprintf|vasprintf|open_memstream)\('
check 'memory_alloc() and its kin instead of malloc() and its kin' none "$raw" applier/base/memory.c applier/base/memory.h
# A capture that is decoded may ask for more than there is: then the capture is at fault.
check 'memory_buffer_init() instead of buffer_init()' none '(?<!\w)buffer_init\(' applier/base/memory.c applier/verbs/decode.c

# The check itself would notice.
check 'malloc() is found' grep -qP "$raw" applier/base/memory.c
finish
