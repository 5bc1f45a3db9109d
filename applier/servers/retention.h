/*
 * What makes the source keep WAL: the slot, and the transaction that has been open for the longest time.
 */
#ifndef SLUICE_RETENTION_H
#define SLUICE_RETENTION_H

#include "io/connection.h"
#include "source.h"

/* The oldest open transaction, prepared ones included, that has written and so holds the slot back. */
struct oldest_transaction {
	bool exists;
	char who[256]; /* "process 4711 (app, shop)", "prepared transaction x" */
	double age_s;
};

/* Without pg_monitor, the role sees the transactions of other roles only in part. */
MUST_CHECK bool retention_read_oldest(struct connection *source, struct oldest_transaction *oldest,
									  struct error *err);

/* Ordered by severity; all but the first are worth a warning. */
enum retention {
	RETENTION_MODEST,
	RETENTION_LARGE,	  /* more than `warn_bytes` */
	RETENTION_ENDANGERED, /* the server may give the slot up at the next checkpoint */
	RETENTION_LOST,		  /* the server has given it up */
};

enum retention retention_judge(const struct source_slot *slot, int64_t warn_bytes);
/* Describes the situation; the text is meant to follow the slot's name. */
void retention_describe(const struct source_slot *slot, const struct oldest_transaction *oldest, char *out,
						size_t out_bytes);

#endif
