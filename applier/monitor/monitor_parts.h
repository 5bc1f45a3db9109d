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

/* A table as it was in the last report. */
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

/* The counters at the last sample, to compute rates. */
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
	char *listen;			  /* the address to listen at; NULL: off */
	struct loop_timer *timer; /* runs at every wal.heartbeat */
	bool warned;			  /* the failure to listen was logged */
	struct metrics *metrics;
	const char *(*ask_waiting)(void *arg, int64_t *for_ms); /* NULL: there is nothing to ask */
	void *ask_arg;
	char *waiting_for; /* from the last report; NULL: nothing */
	int64_t waiting_since;
	struct history history;
	struct status_view view; /* strings belong to the monitor */
	struct watched_list list;
	struct counted counted;
	int64_t compared_until;	   /* the time of the latest comparison, since 1970 */
	int64_t applied_commit_us; /* the commit time of what is durable, since 1970; 0: not known */
};

/* Microseconds since 1970. */
int64_t monitor_now_us(void);
double monitor_seconds(int64_t us);
/* Replaces a string of the view; NULL: clears it. */
void monitor_keep(const char **place, const char *text);
/* The value of a counter; 0: never set. */
double monitor_total(const struct monitor *monitor, enum metric metric);

/* ---- monitor_work.c */

/* The lag: 0 when everything was applied, else the age of the last applied commit; negative: not known. */
double monitor_lag_s(const struct monitor *monitor);
/* To be called at each turn of the monitor: computes the rates since the last one. */
void monitor_measure_rates(struct monitor *monitor);

#endif
