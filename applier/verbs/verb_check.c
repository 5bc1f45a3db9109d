#include "precheck/precheck.h"
#include "servers/creation_spec.h"
#include "servers/failover.h"
#include "state/progress.h"
#include "verbs.h"

/* Prints the items; false if any check failed. */
static bool
conclude(struct precheck *precheck, const struct config *config, const struct command *command,
		 struct error *err)
{
	bool passed;

	if (command->json)
		precheck_print_json(precheck, config->task);
	else
		precheck_print(precheck);
	passed = precheck->failures == 0 || precheck_error(precheck, err);
	precheck_free(precheck);
	return passed;
}

static bool
check(struct verb_ends *ends, struct loop *loop, const struct config *config, const struct command *command,
	  struct error *err)
{
	struct precheck precheck = {.ignored = command->ignored, .from_outside = true};
	struct progress progress;

	if (!progress_read(ends->destination, config->task, &progress, err) ||
		!failover_follow(loop, config, ends->source, &progress, err) ||
		!precheck_run(&precheck, config, ends->source, &ends->opened, &ends->catalog, &progress, err))
		return false;
	return conclude(&precheck, config, command, err);
}

static bool
is_unreachable(const struct error *err)
{
	return err->class == ERROR_RETRY || err->class == ERROR_REFUSED || err->class == ERROR_DATA;
}

/* If one server cannot be reached, the other is tried anyway, so that both are reported. */
static bool
open_ends(struct verb_ends *ends, struct loop *loop, const struct config *config,
		  const struct command *command, struct error *err)
{
	struct precheck precheck = {0};
	struct error source_err, destination_err;
	bool source = verb_open_source(ends, loop, config, &source_err);
	bool destination = verb_open_destination(ends, loop, config, &destination_err);

	if (source && destination)
		return true;
	*err = source ? destination_err : source_err;
	if ((!source && !is_unreachable(&source_err)) || (!destination && !is_unreachable(&destination_err)))
		return false;
	precheck_unreachable(&precheck, source ? NULL : &source_err, destination ? NULL : &destination_err);
	return conclude(&precheck, config, command, err);
}

bool
verb_check(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct verb_ends ends = {0};
	bool passed;

	passed = open_ends(&ends, loop, config, command, err) &&
			 (config = verb_select_tables(&ends, config, err)) && verb_read_catalog(&ends, config, err) &&
			 (!config->schema.create ||
			  creation_spec_read(ends.source, ends.destination, config, &ends.catalog, err)) &&
			 check(&ends, loop, config, command, err);
	verb_ends_close(&ends);
	return passed;
}
