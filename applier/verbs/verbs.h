/*
 * The verbs of the command line. main.c reads the command line and the configuration and calls one of
 * these functions; its result becomes the exit status and the last line on standard error.
 */
#ifndef SLUICE_VERBS_H
#define SLUICE_VERBS_H

#include "base/config.h"
#include "daemon/session.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "io/loop.h"
#include "precheck/precheck.h"
#include "state/selection.h"
#include "tables/catalog.h"

/* The options and arguments of the command line; what was not given is zero. */
struct command {
	const char *config_path;
	const char *file; /* decode: NULL means standard input; list: the directory, NULL means /etc/sluice */
	struct string_list tables; /* empty: all tables */
	unsigned limit;			   /* compare: 0 means the default */
	struct until until;
	struct check_set ignored; /* for check and run */
	bool standby;			  /* run */
	bool json;
	bool watch;
	bool check;			/* status: print one line for a monitoring system */
	int64_t max_lag_ms; /* status --check; 0: no limit, also for the next one */
	int64_t max_retained_bytes;
	bool force;
	bool create;
	bool record; /* compare */
};

MUST_CHECK bool verb_check(struct loop *loop, const struct config *config, const struct command *command,
						   struct error *err);
MUST_CHECK bool verb_schema(struct loop *loop, const struct config *config, const struct command *command,
							struct error *err);
MUST_CHECK bool verb_status(struct loop *loop, const struct config *config, const struct command *command,
							struct error *err);
MUST_CHECK bool verb_sequences(struct loop *loop, const struct config *config, const struct command *command,
							   struct error *err);
MUST_CHECK bool verb_compare(struct loop *loop, const struct config *config, const struct command *command,
							 struct error *err);
MUST_CHECK bool verb_drop(struct loop *loop, const struct config *config, const struct command *command,
						  struct error *err);

MUST_CHECK bool verb_pause(struct loop *loop, const struct config *config, const struct command *command,
						   struct error *err);
MUST_CHECK bool verb_resume(struct loop *loop, const struct config *config, const struct command *command,
							struct error *err);
MUST_CHECK bool verb_reload(struct loop *loop, const struct config *config, const struct command *command,
							struct error *err);
MUST_CHECK bool verb_table(struct loop *loop, const struct config *config, const struct command *command,
						   struct error *err);
MUST_CHECK bool verb_stop(struct loop *loop, const struct config *config, const struct command *command,
						  struct error *err);

MUST_CHECK bool verb_list(const struct command *command, struct error *err);

/* The connections of a short verb and what it reads over them. */
struct verb_ends {
	struct connection *source;
	struct connection *destination;
	const struct dialect *dialect;
	struct destination_session opened; /* what is known about the destination */
	struct selection selection;
	struct catalog catalog;
};

/*
 * The struct must be zeroed before the first call. verb_ends_close() must be called even after a failure.
 */
MUST_CHECK bool verb_open_source(struct verb_ends *ends, struct loop *loop, const struct config *config,
								 struct error *err);
MUST_CHECK bool verb_open_destination(struct verb_ends *ends, struct loop *loop, const struct config *config,
									  struct error *err);
/*
 * The configuration extended by the tables that were added and removed by hand; needs the destination.
 * NULL on failure.
 */
const struct config *verb_select_tables(struct verb_ends *ends, const struct config *config,
										struct error *err);
/* Reads the selected tables from both servers; needs both connections. */
MUST_CHECK bool verb_read_catalog(struct verb_ends *ends, const struct config *config, struct error *err);
void verb_ends_close(struct verb_ends *ends);

#endif
