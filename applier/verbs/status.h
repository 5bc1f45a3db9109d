/*
 * What `sluice status` has gathered, and the ways to show it.
 */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include "monitor/status_view.h"
#include "servers/retention.h"
#include "state/state_report.h"
#include "verbs.h"

struct status {
	struct status_view view; /* strings are the report's, the arena's, or this struct's */
	struct state_report report;
	struct arena memory;
	bool daemon_here;		 /* it answers on this host */
	bool daemon_known;		 /* … and has said how it is */
	struct status_view told; /* so */
	bool source_known;
	char source_error[ERROR_MESSAGE_MAX]; /* why it is not */
	enum retention retention;
	char wal_status[16]; /* of the slot; "": there is none */
	struct oldest_transaction oldest;
	int64_t warn_bytes;
};

/* Of the view's tables, those in that state. */
unsigned status_count(const struct status *status, const char *state);
/* A daemon runs, as far as is known. */
bool status_has_daemon(const struct status *status);

/* For people. */
void status_put_text(struct buffer *out, const struct status *status);
/* "1.3 GB" */
void status_put_size(struct buffer *out, int64_t bytes);
/* "264 B, 0.4 s" */
void status_put_lag(struct buffer *out, const struct status *status);

#endif
