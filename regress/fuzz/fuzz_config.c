/*
 * Any text is either a configuration within its limits or a configuration error.
 */
#include <stdlib.h>

#include "base/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

static bool
is_within_limits(const struct config *c)
{
	return c->task && c->source.conninfo && c->source.slot && c->destination.conninfo &&
		   c->destination.dialect && c->tables.include.count > 0 && c->operations != 0 &&
		   c->operations <= OPERATION_ALL && c->initial_copy.jobs >= 1 && c->initial_copy.jobs <= 64 &&
		   c->apply.max_bytes >= 65536 && c->apply.max_bytes <= c->apply.memory_bytes &&
		   c->apply.max_delay_ms >= 0 && c->retry_duration_ms >= 0 && c->apply.spill_directory[0] == '/';
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct config config;
	struct error err;

	if (!config_parse((const char *) data, len, "fuzz", &config, &err)) {
		if (err.class != ERROR_CONFIG || err.message[0] == '\0')
			abort();
		return 0;
	}
	if (!is_within_limits(&config))
		abort();
	config_free(&config);
	return 0;
}
