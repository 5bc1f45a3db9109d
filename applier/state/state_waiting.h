/* Rows of sluice.tables for new tables that cannot be replicated yet: state waiting, with the reason. */
#ifndef SLUICE_STATE_WAITING_H
#define SLUICE_STATE_WAITING_H

#include "io/connection.h"

struct state_waiting {
	uint32_t oid;
	const char *schema; /* schema at the source */
	const char *name;
	const char *target_schema;
	const char *target_name;
	const char *reason;
};

/*
 * Inserts such a row. If the table has a row already, such as one to be copied again, only its reason is
 * set.
 */
MUST_CHECK bool state_waiting_write(struct connection *destination, const char *task,
									const struct state_waiting *waiting, struct error *err);
/* Deletes such a row. In a row with another state, only the reason is removed. */
MUST_CHECK bool state_waiting_remove(struct connection *destination, const char *task,
									 const struct state_waiting *waiting, struct error *err);

#endif
