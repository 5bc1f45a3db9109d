/*
 * What the parts of the monitor share: the state that they keep.  Included by monitor*.c alone.
 *
 *	monitor		    the phase, HTTP, its own turn
 *	monitor_tables	tables: their states, copies, comparisons
 *	monitor_work	what the stream does: slot, batches, lag, rates
 */
#ifndef SLUICE_MONITOR_PARTS_H
#define SLUICE_MONITOR_PARTS_H

#include "history.h"
#include "io/http.h"
#include "monitor.h"
#include "status_view.h"

#define LIST_BLOCK_BYTES ((size_t) 16 * 1024)

/* A table as it was when it was last told of. */
struct watched_table {
	uint32_t oid;
	struct status_table shown; /* strings in the list's arena */
	bool copying;
	unsigned place; /* in the catalog's order */
};

struct watched_list {
	struct arena memory;
	struct watched_table *tables; /* by OID */
	struct status_table *shown;	  /* in the catalog's order */
	unsigned count;
};

/* How far it was at the last sample, for rates. */
struct counted {
	int64_t at_ms;
	double transactions;
	double changes;
	double bytes;
};

struct monitor {
	struct loop *loop;
	const struct config *config;
	struct http *http;		  /* NULL: off, or the port is taken */
	char *listen;			  /* what it is to listen at; NULL: off */
	struct loop_timer *timer; /* at every wal.heartbeat */
	bool warned;			  /* that it cannot listen */
	struct metrics *metrics;
	const char *(*ask_waiting)(void *arg, int64_t *for_ms); /* NULL: nobody is asked */
	void *ask_arg;
	char *waiting_for; /* what it was told last; NULL: nothing */
	int64_t waiting_since;
	struct history history;
	struct status_view view; /* strings are the monitor's own */
	struct watched_list list;
	struct counted counted;
	int64_t compared_until;	   /* the latest comparison that it was told of, since 1970 */
	int64_t applied_commit_us; /* of what is durable, since 1970; 0: not known */
};

/* Microseconds since 1970. */
int64_t monitor_now_us(void);
double monitor_seconds(int64_t us);
/* Replaces a string of the view; NULL: none. */
void monitor_keep(const char **place, const char *text);
/* What was counted so far; 0: nothing. */
double monitor_total(const struct monitor *monitor, enum metric metric);

/* ---- monitor_work.c */

/* The destination is level, or shows the source as of its last commit; negative: not known. */
double monitor_lag_s(const struct monitor *monitor);
/* At each turn of the monitor's own: how much was done since the one before. */
void monitor_measure_rates(struct monitor *monitor);

#endif
