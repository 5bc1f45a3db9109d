/*
 * The actions of `sluice table add | remove | resync`, stored for the next
 * attempt: by the running daemon, or by the verb itself if none runs.
 */
#ifndef SLUICE_TABLE_ACTION_H
#define SLUICE_TABLE_ACTION_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

enum table_action { TABLE_ADD, TABLE_REMOVE, TABLE_RESYNC };

MUST_CHECK bool table_action_parse(const char *name, enum table_action *action);

/* Checks that each is the name of one table, not a pattern. */
MUST_CHECK bool table_action_check_names(const struct string_list *names, struct error *err);

struct table_action_setup {
	struct connection *source;
	struct connection *destination;
	const struct config *config; /* as it was loaded */
	/* Checks whether a run could continue with what was stored; NULL: no check. */
	bool (*try)(void *arg, struct error *err);
	void *arg;
};

/* Carries the action out for all names (schema.table, as in the configuration); on an error, for none. */
MUST_CHECK bool table_action_run(const struct table_action_setup *change, enum table_action action,
								 const struct string_list *names, struct error *err);

#endif
