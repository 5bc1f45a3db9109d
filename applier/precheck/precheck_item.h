/*
 * What the parts of the precheck share: the servers that they ask, and the list
 * that they add to.  Each part is a function that adds its items and returns
 * false only when a server could not be asked.
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
	const struct destination_session *session; /* what was found out when it was opened */
	struct progress
		present; /* *progress; where a daemon may run, as it is behind `slot` and before source_identity */
	struct catalog *catalog;
	const struct progress *progress;
	struct source_identity source_identity;
	struct source_slot slot;
	bool states_unknown;	   /* sluice.tables does not fit: which tables were copied is not known */
	bool lacks_letters;		   /* the destination's encoding: of names that it would get */
	int64_t lock_holder;	   /* process of the destination that holds the task; 0: nobody */
	const struct table *about; /* whose items are being added; NULL: nobody's alone */
	struct arena memory;	   /* for what lives as long as the precheck */
};

/* Adds an item; `subject` may be NULL. */
void precheck_add(struct precheck_context *c, enum check_outcome outcome, const char *name,
				  const char *subject, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* "schema.table" of the source's table, for subjects. */
const char *precheck_table_name(struct precheck_context *c, const struct table *table);
/* The same of its target. */
const char *precheck_target_name(struct precheck_context *c, const struct table *table);
/* For remedies: the role of a session and its database, quoted where that is needed; and a schema likewise. */
const char *precheck_role(struct precheck_context *c, const struct connection *conn);
const char *precheck_database(struct precheck_context *c, const struct connection *conn);
const char *precheck_schema(struct precheck_context *c, const char *schema);
/* What gives the source's table the replica identity FULL. */
const char *precheck_full_identity(struct precheck_context *c, const struct table *table);

/* The first start of a task: its slot has not been made yet. */
bool precheck_is_fresh(const struct precheck_context *c);
/* Whether the table's rows are still to be copied. */
bool precheck_will_copy(const struct precheck_context *c, const struct table *table);

MUST_CHECK bool precheck_source(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_slot(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_destination(struct precheck_context *c, struct error *err);
/* What the configuration selects, and whether it is there. */
MUST_CHECK bool precheck_selection(struct precheck_context *c, struct error *err);
/* The encodings of both databases; and of each table's names. */
void precheck_encodings(struct precheck_context *c);
MUST_CHECK bool precheck_letters(struct precheck_context *c, struct error *err);
/* What one table's two descriptions tell without a server. */
void precheck_table(struct precheck_context *c, const struct table *table);
/* Its override against its columns. */
void precheck_mapping(struct precheck_context *c, const struct table *table);
/* Conditions on rows, tried at the source. */
MUST_CHECK bool precheck_where(struct precheck_context *c, struct error *err);
/* Targets that several tables feed. */
void precheck_shared(struct precheck_context *c);
/* Whether the destination's enums have the labels of the source's. */
MUST_CHECK bool precheck_enums(struct precheck_context *c, struct error *err);
/* Rights and contents of all tables, in few queries. */
MUST_CHECK bool precheck_rights(struct precheck_context *c, struct error *err);
/* Targets that others have dropped, replaced or emptied. */
MUST_CHECK bool precheck_targets(struct precheck_context *c, struct error *err);
/* Targets that other tasks feed. */
MUST_CHECK bool precheck_feeders(struct precheck_context *c, struct error *err);
MUST_CHECK bool precheck_contents(struct precheck_context *c, struct error *err);

#endif
