/*
 * `sluice run`: from the precheck over the initial copy to the stream, with
 * everything that a lost connection needs to start over.
 */
#ifndef SLUICE_SESSION_H
#define SLUICE_SESSION_H

#include "base/config.h"
#include "io/loop.h"

enum until_kind { UNTIL_STOPPED, UNTIL_CURRENT, UNTIL_LSN };

struct until {
	enum until_kind kind;
	uint64_t lsn; /* UNTIL_LSN */
};

/* `config_path` is read again when that is asked for.  Returns when `until` is reached or a stop was requested (true), or when the
 * work cannot go on (false). */
MUST_CHECK bool session_run(struct loop *loop, const struct config *config, const char *config_path,
							struct until until, struct error *err);

#endif
