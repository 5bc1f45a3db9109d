#include "precheck/precheck.h"
#include "servers/failover.h"
#include "servers/source_definition.h"
#include "state/progress.h"
#include "verbs.h"

static bool
check(struct verb_ends *ends, struct loop *loop, const struct config *config, struct error *err)
{
	struct precheck precheck = {.from_outside = true};
	struct progress progress;
	bool passed;

	if (!progress_read(ends->destination, config->task, &progress, err) ||
		!failover_follow(loop, config, ends->source, &progress, err) ||
		!precheck_run(&precheck, config, ends->source, ends->destination, ends->dialect, &ends->catalog,
					  &progress, err))
		return false;
	precheck_print(&precheck, false);
	passed = precheck.failures == 0 || precheck_error(&precheck, err);
	precheck_free(&precheck);
	return passed;
}

bool
verb_check(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct verb_ends ends = {0};
	bool passed;

	(void) command;
	passed = verb_open_source(&ends, loop, config, err) && verb_open_destination(&ends, loop, config, err) &&
			 (config = verb_select_tables(&ends, config, err)) && verb_read_catalog(&ends, config, err) &&
			 (!config->schema.create ||
			  definition_read(ends.source, ends.destination, config, &ends.catalog, err)) &&
			 check(&ends, loop, config, err);
	verb_ends_close(&ends);
	return passed;
}
