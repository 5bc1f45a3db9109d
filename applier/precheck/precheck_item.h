/*
 * Shared by the parts of the precheck: the servers that they ask and the list that they add items to. Each
 * part is a function that adds its items; those that return bool return false only if a server could not
 * be asked.
 */
#ifndef SLUICE_PRECHECK_ITEM_H
#define SLUICE_PRECHECK_ITEM_H

#include "precheck.h"
#include "servers/server_session.h"
#include "servers/source.h"
#include "state/progress.h"

struct precheck_context {
	struct precheck *precheck;
	const struct config *config;
	struct connection *source;
	struct connection *destination;
	const struct dialect *dialect;
	const struct destination_session *session; /* what is known since the session was opened */
	/* *progress, read again if a daemon may be running: after `slot` and before source_identity */
	struct progress present;
	struct catalog *catalog;
	const struct progress *progress;
	struct source_identity source_identity;
	struct source_slot slot;
	/* sluice.tables contradicts the catalog, so it is unknown which tables were copied */
	bool states_unknown;
	bool lacks_letters;		   /* a name has a letter that the destination's encoding lacks */
	int64_t lock_holder;	   /* backend at the destination that holds the task's lock; 0: none */
	const struct table *about; /* the table that items are being added for; NULL: no single table */
	struct arena memory;	   /* lives as long as the precheck */
};

/* Adds an item; `subject` may be NULL. */
void precheck_add(struct precheck_context *c, enum check_outcome outcome, const char *name,
				  const char *subject, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "schema.table" of the table at the source, for subjects. */
const char *precheck_table_name(struct precheck_context *c, const struct table *table);
/* "schema.table" of the target. */
const char *precheck_target_name(struct precheck_context *c, const struct table *table);
/* For remedies: the session's role, its database, and a schema, each quoted if SQL needs it. */
const char *precheck_role(struct precheck_context *c, const struct connection *conn);
const char *precheck_database(struct precheck_context *c, const struct connection *conn);
const char *precheck_schema(struct precheck_context *c, const char *schema);
/* The statement that gives the source table the replica identity FULL, or words for it. */
const char *precheck_full_identity(struct precheck_context *c, const struct table *table);

/* Whether this is the task's first start, so that its slot has not been made yet. */
bool precheck_is_fresh(const struct precheck_context *c);
/* Whether the table's rows have yet to be copied. */
bool precheck_will_copy(const struct precheck_context *c, const struct table *table);

MUST_CHECK bool precheck_source(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_slot(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_destination(struct precheck_context *c, struct error *err);
/* Whether everything that the configuration selects exists. */
MUST_CHECK bool precheck_selection(struct precheck_context *c, struct error *err);
/* The encodings of both databases; then whether the destination can store each table's names. */
void precheck_encodings(struct precheck_context *c);
MUST_CHECK bool precheck_letters(struct precheck_context *c, struct error *err);
/* All checks of one table that need no query. */
void precheck_table(struct precheck_context *c, const struct table *table);
/* Compares the table's override with its columns. */
void precheck_mapping(struct precheck_context *c, const struct table *table);
/* Tries the conditions on rows (`where`) at the source. */
MUST_CHECK bool precheck_where(struct precheck_context *c, struct error *err);
/* Targets with several sources in this task. */
void precheck_shared(struct precheck_context *c);
/* Whether the destination's enums have the labels of the source's. */
MUST_CHECK bool precheck_enums(struct precheck_context *c, struct error *err);
/* The rights on all tables, and whether their targets are empty, in few queries. */
MUST_CHECK bool precheck_rights(struct precheck_context *c, struct error *err);
/* Targets that were dropped, replaced or emptied by others. */
MUST_CHECK bool precheck_targets(struct precheck_context *c, struct error *err);
/* Targets that other tasks write to, too. */
MUST_CHECK bool precheck_feeders(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_contents(struct precheck_context *c, struct error *err);

#endif
