/* A report about a task, read from its state at the destination; the source need not be reachable. */
#ifndef SLUICE_STATE_REPORT_H
#define SLUICE_STATE_REPORT_H

#include "base/arena.h"
#include "comparisons.h"
#include "io/connection.h"
#include "lease.h"
#include "progress.h"

/* One row of sluice.tables, as `status` shows it. */
struct state_report_table {
	uint32_t oid; /* of the source's table */
	char *source; /* sql_table_name() */
	/* the table's present name, where the caller has found at the source that it was renamed; NULL: none */
	char *renamed_to;
	char *target;
	char *state;
	int64_t rows_copied;
	char *error;					   /* NULL: none */
	int64_t dead_rows;				   /* as stored last */
	char *upkeep;					   /* why the target is not vacuumed; NULL: nothing to report */
	const struct comparison *compared; /* the last recorded comparison; NULL: none */
};

/* A daemon that waits, as far as this role may see that. */
struct state_report_standby {
	char *host;
	int64_t pid;
	char *since;
	int64_t since_us; /* since 1970 */
};

struct state_report {
	struct progress progress;
	char *phase;		/* as stored by the last daemon; NULL: no row */
	double phase_age_s; /* how long the phase has lasted; negative: unknown */
	char *last_error;	/* NULL: none */
	/* how long ago the source had the state that the destination has now; negative: unknown */
	double age_s;
	int64_t daemon_pid; /* backend that holds the task's lock; 0: no daemon runs */
	struct lease lease; /* of the daemon that has the task, or had it last */
	struct state_report_standby *standbys;
	unsigned standby_count;
	struct state_report_table *tables;
	unsigned table_count;
	struct comparisons comparisons;
	struct arena memory;
};

MUST_CHECK bool state_report_read(struct connection *destination, const char *task,
								  struct state_report *report, struct error *err);
void state_report_free(struct state_report *report);

#endif
