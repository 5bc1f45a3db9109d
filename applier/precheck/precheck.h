/*
 * Every precondition on both ends and for every table, all reported at once:
 * one item a check with its outcome, the cause and what to do.  Reads only.
 */
#ifndef SLUICE_PRECHECK_H
#define SLUICE_PRECHECK_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "servers/server_session.h"
#include "state/progress.h"
#include "tables/catalog.h"

enum check_outcome { CHECK_OK, CHECK_WARNING, CHECK_FAILED };

struct check_item {
	enum check_outcome outcome;
	bool ignored;  /* it would be a warning */
	char *name;	   /* "wal_level", "identity", "target empty" … */
	char *subject; /* the table or server it is about */
	char *message; /* cause and remedy, one line */
	uint32_t oid;  /* the source's table that it is about; 0: none, or more than one */
};

/* A set of checks by their names. */
struct check_set {
	uint64_t bits;
};

struct source_identity;

struct precheck {
	struct check_set ignored; /* set by the caller, as the next one: warnings of these are no warnings */
	bool from_outside; /* set by the caller: the task's daemon may run; otherwise the caller is the daemon */
	/* Set by the caller, for a task that has worked: the tables that tables.include may name though they are gone;
	 * NULL: any. */
	const struct string_list *known_names;
	/* Set by the caller, who is the daemon: the source as it was read for this start; NULL: it is asked here. */
	const struct source_identity *identity;
	struct check_item *items;
	unsigned count;
	unsigned warnings;
	unsigned failures;
};

/*
 * `fresh` is a start without a progress row: then the targets must be empty
 * (or cleared) and the slot must not exist; otherwise slot and progress must fit together.
 * False only when a server could not be asked.
 */
MUST_CHECK bool precheck_run(struct precheck *precheck, const struct config *config,
							 struct connection *source, const struct destination_session *destination,
							 struct catalog *catalog, const struct progress *progress, struct error *err);
/* Adds a check to the set; an ERROR_CONFIG where there is none of that name. */
MUST_CHECK bool precheck_ignore(struct check_set *set, const char *name, struct error *err);
/* Instead of a run, where one of the ends could not be reached; the error is NULL of an end that was. */
void precheck_unreachable(struct precheck *precheck, const struct error *source,
						  const struct error *destination);
/* One line an item on standard output: "ok       wal_level  logical". */
void precheck_print(const struct precheck *precheck);
/* {"task":…,"passed":…,"checks":[{"outcome":…,"ignored":…,"name":…,"subject":…,"message":…}, …]} on one line of it. */
void precheck_print_json(const struct precheck *precheck, const char *task);
/* The failures as an ERROR_PRECONDITION: the first one's message and how many more there are. */
bool precheck_error(const struct precheck *precheck, struct error *err);
/* One of them likewise, with `more` others. */
bool precheck_item_error(const struct check_item *item, unsigned more, struct error *err);
void precheck_free(struct precheck *precheck);

#endif
