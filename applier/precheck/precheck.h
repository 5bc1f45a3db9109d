/*
 * Checks every precondition at both servers and for every table, and reports all results at once: one item
 * for each check with its outcome, the cause and what to do. Changes nothing.
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
	bool ignored;  /* otherwise it would be a warning (--ignore) */
	char *name;	   /* "wal_level", "identity", "target empty" … */
	char *subject; /* the table or server that was checked */
	char *message; /* cause and remedy, one line */
	uint32_t oid;  /* the source table that was checked; 0: none, or more than one */
};

/* A set of checks, by name. */
struct check_set {
	uint64_t bits;
};

struct source_identity;

struct precheck {
	struct check_set ignored; /* set by the caller: checks whose warnings count as ok */
	/* set by the caller: false in the daemon; true in other verbs, while the task's daemon may be running */
	bool from_outside;
	/*
	 * Set by the caller for a task that has worked before: names in tables.include whose tables may be gone;
	 * NULL: any name.
	 */
	const struct string_list *known_names;
	/*
	 * Set by the daemon: the source's identity as read for this start; NULL: the precheck asks the source.
	 */
	const struct source_identity *identity;
	struct check_item *items;
	unsigned count;
	unsigned warnings;
	unsigned failures;
};

/*
 * Runs all checks. For a task without a progress row, the targets must be empty (or will be cleared) and
 * the slot must not exist; otherwise slot and progress must fit together. False only if a server could not
 * be asked.
 */
MUST_CHECK bool precheck_run(struct precheck *precheck, const struct config *config,
							 struct connection *source, const struct destination_session *destination,
							 struct catalog *catalog, const struct progress *progress, struct error *err);
/* Adds a check to the set; ERROR_CONFIG if there is no check of that name. */
MUST_CHECK bool precheck_ignore(struct check_set *set, const char *name, struct error *err);
/*
 * Replaces precheck_run() if a server could not be reached. The error of a server that could be reached is
 * NULL.
 */
void precheck_unreachable(struct precheck *precheck, const struct error *source,
						  const struct error *destination);
/* Prints one line for each item on standard output, such as "ok	   wal_level  logical". */
void precheck_print(const struct precheck *precheck);
/*
 * Prints all items as one line of JSON on standard output:
 * {"task":…,"passed":…,"checks":[{"outcome":…,"ignored":…,"name":…,"subject":…,"message":…}, …]}
 */
void precheck_print_json(const struct precheck *precheck, const char *task);
/* Sets an ERROR_PRECONDITION with the first failure's message and the number of further failures. */
bool precheck_error(const struct precheck *precheck, struct error *err);
/* The same for one item, with `more` as the number of further failures. */
bool precheck_item_error(const struct check_item *item, unsigned more, struct error *err);
void precheck_free(struct precheck *precheck);

#endif
