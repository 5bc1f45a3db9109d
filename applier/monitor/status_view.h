/*
 * The status of a task as it is shown by `sluice status`, which asks both servers, and by
 * the daemon's page, which asks none.  One struct, one JSON form.
 *
 * Points in time are microseconds since 1970; 0 is "not known", as is a negative
 * number where a count is expected.  The caller that fills the struct owns the strings; NULL is "none".
 */
#ifndef SLUICE_STATUS_VIEW_H
#define SLUICE_STATUS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

struct status_table {
	const char *source; /* sql_table_name() */
	const char
		*renamed_to; /* the present name at the source of a held table that has got another; NULL: none */
	const char *target;
	const char *state;
	int64_t rows_copied;
	int64_t rows_expected; /* the source's estimate, during a copy */
	double rows_per_s;	   /* likewise; negative: not known */
	double left_s;		   /* likewise */
	const char *step;	   /* what its copy does instead of copying rows, in words; NULL: nothing */
	const char *error;
	int64_t dead_rows;	  /* rows of the target since its last VACUUM, where the server does not vacuum it */
	const char *upkeep;	  /* why it is not vacuumed; NULL: it is */
	const char *indexing; /* what is being done about an index, or why it is not; NULL: nothing */
	/* The last recorded comparison. */
	int64_t compared_at;
	uint64_t compared_lsn;
	bool compared_equal;
};

/* A daemon of the task. */
struct status_daemon {
	const char *host;
	int64_t pid;
	int64_t since;
};

struct status_view {
	const char *task;
	int64_t at; /* when the view was true */
	const char *phase;
	int64_t phase_since;
	const char *waiting_for; /* what the phase waits for, in words; NULL: nothing */
	int64_t waiting_since;
	int64_t daemon_pid;			 /* 0: no daemon is known on this host */
	struct status_daemon holder; /* host NULL: no daemon has the task, or it is not known which */
	const struct status_daemon *standbys;
	unsigned standby_count;
	bool standbys_known;

	uint64_t applied_lsn;
	uint64_t received_lsn;
	uint64_t confirmed_lsn;
	uint64_t source_lsn;
	int64_t sampled_at; /* when the source was last asked */
	int64_t lag_bytes;
	double lag_s; /* negative: not known */

	int64_t retained_bytes;
	int64_t safe_bytes;
	bool retention_warning;
	const char *wal_status;
	const char *oldest; /* the transaction at the source that has been open for the longest time */
	double oldest_s;

	double transactions_total; /* since the daemon started; negative: not known */
	double changes_total;
	double transactions_per_s;
	double changes_per_s;
	double received_bytes_per_s;

	const char *source_version;
	const char *destination_version;
	const char *last_error;
	const char *source_error; /* why the source cannot be reached */

	const struct status_table *tables;
	unsigned table_count;
};

/* A view in which nothing is known. */
void status_view_init(struct status_view *view, const char *task);
void status_table_init(struct status_table *table);
/* Writes one JSON object on one line. */
void status_view_put_json(const struct status_view *view, struct buffer *out);
/* Writes "2026-03-01T03:00:12.345Z"; null if the time is not known. */
void status_put_time(struct buffer *out, int64_t at);

#endif
