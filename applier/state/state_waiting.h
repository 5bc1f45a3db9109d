/*
 * Rows of sluice.tables of new tables that cannot be taken in yet: state waiting, with the reason.
 */
#ifndef SLUICE_STATE_WAITING_H
#define SLUICE_STATE_WAITING_H

#include "io/connection.h"

struct state_waiting {
	uint32_t oid;
	const char *schema; /* of the source */
	const char *name;
	const char *target_schema;
	const char *target_name;
	const char *reason;
};

/* A row that says more, such as one of a table that is to be copied again, only gets the reason. */
MUST_CHECK bool state_waiting_write(struct connection *destination, const char *task,
									const struct state_waiting *waiting, struct error *err);
/* Removes the row, or takes the reason off one that says more. */
MUST_CHECK bool state_waiting_remove(struct connection *destination, const char *task,
									 const struct state_waiting *waiting, struct error *err);

#endif
