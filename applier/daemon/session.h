/*
 * `sluice run`: from the precheck over the initial copy to the stream, with
 * everything that a lost connection needs to start over.
 */
#ifndef SLUICE_SESSION_H
#define SLUICE_SESSION_H

#include "base/config.h"
#include "io/loop.h"
#include "precheck/precheck.h"

enum until_kind { UNTIL_STOPPED, UNTIL_CURRENT, UNTIL_LSN };

struct until {
	enum until_kind kind;
	uint64_t lsn; /* UNTIL_LSN */
};

/* What the command line says of a run. */
struct run_options {
	const char *config_path; /* read again when that is asked for */
	struct until until;
	struct check_set ignored;
};

/* Returns when `until` is reached or a stop was requested (true), or when the work cannot go on (false). */
MUST_CHECK bool session_run(struct loop *loop, const struct config *config, const struct run_options *options,
							struct error *err);

#endif
