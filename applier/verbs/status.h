/* What `sluice status` has gathered, and the ways to show it. */
#ifndef SLUICE_STATUS_H
#define SLUICE_STATUS_H

#include "monitor/status_view.h"
#include "servers/retention.h"
#include "state/state_report.h"
#include "verbs.h"

struct status {
	struct status_view view; /* its strings belong to the report, to `memory` or to this struct */
	struct state_report report;
	struct arena memory;
	bool daemon_here;		 /* a daemon answers on this host */
	bool daemon_known;		 /* that daemon has reported its status */
	struct status_view told; /* the status that it has reported */
	bool source_known;
	char source_error[ERROR_MESSAGE_MAX]; /* if the source is not known: why */
	enum retention retention;
	char wal_status[16]; /* of the slot; "": there is no slot */
	struct oldest_transaction oldest;
	int64_t warn_bytes;
};

/*
 * Asks both servers, and the daemon if it runs on this host. False if the destination cannot be reached; the status that
 * such a daemon has reported is filled in even then. The caller must call status_free() in either case.
 */
MUST_CHECK bool status_gather(struct loop *loop, const struct config *config, struct status *status,
							  struct error *err);
void status_free(struct status *status);

/* The number of tables in the view that have this state. */
unsigned status_count(const struct status *status, const char *state);
/* Whether a daemon runs, as far as is known. */
bool status_has_daemon(const struct status *status);

/* Appends the status as text for people. */
void status_put_text(struct buffer *out, const struct status *status);
/* Appends a size such as "1.3 GB". */
void status_put_size(struct buffer *out, int64_t bytes);
/* Appends the lag, such as "264 B, 0.4 s". */
void status_put_lag(struct buffer *out, const struct status *status);

/* Appends how long ago that was, such as ", for 12 s"; nothing if it is unknown. */
void status_put_since(struct buffer *out, const struct status_view *view, int64_t since);
/* The number of characters, not bytes, since names may be non-ASCII. */
int status_width(const char *text);
/* Appends the text and blanks up to the width, and two more. */
void status_put_padded(struct buffer *out, const char *text, int width);

#endif
