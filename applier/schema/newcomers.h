/*
 * Tables that appear at the source while the task runs and that its selection
 * covers.  They are taken in once a run could go on with them; until then they
 * are left out, and the others are not disturbed.
 */
#ifndef SLUICE_NEWCOMERS_H
#define SLUICE_NEWCOMERS_H

#include "base/config.h"
#include "io/connection.h"
#include "state/selection.h"
#include "tables/catalog.h"

struct newcomers {
	struct catalog refused; /* names and OIDs alone */
	char *tried;			/* what the last trial was about */
	int64_t tried_ms;
};

struct newcomers_look {
	struct connection *source;
	const struct config *config;   /* with sluice.selection taken over */
	const struct catalog *catalog; /* the tables that the task has */
	int64_t now_ms;
	/* Whether a run could go on with that configuration. */
	bool (*try)(void *arg, const struct config *config, struct error *err);
	void *arg;
};

/* `accepted`: there are some that the next attempt will find fit. */
MUST_CHECK bool newcomers_look(struct newcomers *newcomers, const struct newcomers_look *look, bool *accepted,
							   struct error *err);
/* Tables of the catalog that were never copied are refused for now; false: there is none. */
bool newcomers_refuse_new(struct newcomers *newcomers, const struct catalog *catalog);
/* Takes the refused ones out of the selection. */
void newcomers_leave_out(const struct newcomers *newcomers, struct selection *selection);
void newcomers_fini(struct newcomers *newcomers);

#endif
