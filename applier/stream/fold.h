/*
 * The fold, between the plugin's frames and the batch being filled: decodes
 * messages, keeps the shapes of the tables, skips what was applied or copied
 * before, and keeps open transactions until their commit.
 *
 * Runs at the top of the program, not in callbacks: it pumps the loop where a
 * table's definition changes or a large transaction has to wait for room.
 */
#ifndef SLUICE_FOLD_H
#define SLUICE_FOLD_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "merge/backlog.h"
#include "monitor/monitor.h"
#include "pipeline.h"
#include "schema/schema_note.h"
#include "tables/catalog.h"

struct fold;

/* OIDs (pg_class.oid) that one attempt remembers for the next. */
struct table_memory {
	uint32_t *oids;
	unsigned count;
};

struct fold_memories {
	/* Tables that the stream mentioned and the catalog lacked, so that the session started
	 * over: one that the new catalog lacks as well is not part of this task. */
	struct table_memory unknown_tables;
	/* Tables with changes in the stream whose columns are not those of the catalog: their values have to come as text. */
	struct table_memory as_text;
	/* What becomes of tables whose definition changed. */
	struct schema_notes notes;
};

MUST_CHECK bool table_memory_has(const struct table_memory *memory, uint32_t oid);

struct fold_setup {
	const struct config *config;
	struct catalog *catalog;
	const struct dialect *dialect;
	struct connection *control; /* to the destination, for what is no part of a batch */
	struct connection *source;	/* to read about tables that are not in the catalog */
	struct fold_memories *memories;
	struct pipeline *pipeline;
	struct backlog *backlog; /* for changes of tables that are copied in the background; NULL: none is */
	/* Set when the stream mentions a table that the catalog lacks, and goes on without it; NULL: it starts over with it. */
	bool *saw_unknown_table;
	bool triggers_fire;
	struct monitor *monitor; /* is told of definitions; NULL: nobody watches */
	uint64_t applied_lsn;	 /* transactions whose commit record begins before are left out */
};

struct fold *fold_create(const struct fold_setup *setup);
void fold_destroy(struct fold *fold);

/* ERROR_STOPPED when a stop was requested or the pipeline failed meanwhile. */
MUST_CHECK bool fold_frame(struct fold *fold, struct bytes frame, struct error *err);

/* Whether it stands between two transactions of the stream. */
bool fold_is_between(const struct fold *fold);
/* Between two transactions: folds a change that had to wait for the copy of its table. */
MUST_CHECK bool fold_set_aside_change(struct fold *fold, const struct backlog_entry *entry,
									  struct error *err);

/* Memory held for open transactions, and what of them is in files, before compression. */
size_t fold_memory(const struct fold *fold);
uint64_t fold_spilled(const struct fold *fold);
/* When the source committed what was folded last, microseconds since 2000; 0: nothing was. */
int64_t fold_commit_time(const struct fold *fold);

#endif
