/*
 * What holds back WAL at the source: the slot, and the transaction that has
 * been open for longest.
 */
#ifndef SLUICE_RETENTION_H
#define SLUICE_RETENTION_H

#include "io/connection.h"
#include "source.h"

/* The oldest transaction, prepared ones included, that the slot cannot pass: it has written. */
struct oldest_transaction {
	bool exists;
	char who[256]; /* "process 4711 (app, shop)", "prepared transaction x" */
	double age_s;
};

/* Of others one sees only what the role may see (pg_monitor sees all). */
MUST_CHECK bool retention_read_oldest(struct connection *source, struct oldest_transaction *oldest,
									  struct error *err);

/* The later ones are worse, and all but the first are to be warned of. */
enum retention {
	RETENTION_MODEST,
	RETENTION_LARGE,	  /* more than `warn_bytes` */
	RETENTION_ENDANGERED, /* the server may give the slot up at the next checkpoint */
	RETENTION_LOST,		  /* it has done so */
};

enum retention retention_judge(const struct source_slot *slot, int64_t warn_bytes);
/* What to say of it, behind the slot's name. */
void retention_describe(const struct source_slot *slot, const struct oldest_transaction *oldest, char *out,
						size_t out_bytes);

#endif
