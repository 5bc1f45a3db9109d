/*
 * From the plugin's frames to the batch being filled: decodes messages, keeps
 * the shapes of the tables, leaves out what was applied or copied before, and
 * lets open transactions wait for their commit.
 *
 * Runs at the top of the program, not in callbacks: it pumps the loop where a
 * table's definition changes or a large transaction has to wait for room.
 */
#ifndef SLUICE_FOLD_H
#define SLUICE_FOLD_H

#include "catalog.h"
#include "config.h"
#include "connection.h"
#include "dialect.h"
#include "pipeline.h"

struct fold;

/*
 * Tables that the stream mentioned and the catalog did not have, for which the
 * session has started over once: one that is still not there belongs to
 * nobody.  Outlives the sessions.
 */
struct strangers {
	uint32_t *oids;
	unsigned count;
};

struct fold_setup {
	const struct config *config;
	struct catalog *catalog;
	const struct dialect *dialect;
	struct connection *control; /* to the destination, for looks at changed targets */
	struct connection *source;	/* for looks at tables that are not in the catalog */
	struct strangers *strangers;
	struct pipeline *pipeline;
	bool triggers_fire;
	uint64_t applied_lsn; /* transactions whose commit record begins before are left out */
	uint64_t catalog_lsn; /* the catalog is not older: who committed before and is not in it is gone */
};

struct fold *fold_create(const struct fold_setup *setup);
void fold_destroy(struct fold *fold);

/* ERROR_STOPPED when a stop was requested or the pipeline failed meanwhile. */
MUST_CHECK bool fold_frame(struct fold *fold, struct bytes frame, struct error *err);

/* Memory held for open transactions. */
size_t fold_memory(const struct fold *fold);

#endif
