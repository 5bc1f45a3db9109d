/* `sluice run`: the prechecks, the initial copy, the stream, and a new attempt whenever a connection is lost. */
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

/* The options of a run on the command line. */
struct run_options {
	const char *config_path; /* read again at a reload */
	struct until until;
	struct check_set ignored;
	bool standby; /* wait as long as another daemon has the task */
};

/* Returns when `until` is reached or a stop was requested (true), or when the work cannot go on (false). */
MUST_CHECK bool session_run(struct loop *loop, const struct config *config, const struct run_options *options,
							struct error *err);

#endif
