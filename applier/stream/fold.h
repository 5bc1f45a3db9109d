/*
 * The fold, between the plugin's frames and the batch being filled: decodes
 * messages, keeps the shapes of the tables, skips changes that were applied or
 * copied before, and keeps open transactions until their commit.
 *
 * Runs at the top of the program, not in callbacks: it pumps the loop where a
 * table's definition changes or a large transaction has to wait for room.
 */
#ifndef SLUICE_FOLD_H
#define SLUICE_FOLD_H

#include "base/config.h"
#include "buffer.h"
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
	/* Tables for which the session started over because the catalog lacked them: one that the new catalog lacks as well
	 * is not part of this task. */
	struct table_memory unknown_tables;
	/* Tables whose values have to come as text: the stream has changes with other columns than the catalog. */
	struct table_memory as_text;
	struct buffer
		text_names; /* the names that these had in the stream, as in the plugin's option text_tables */
	/* Tables of which no index is in the way of a row that was refused, until something is applied. */
	struct table_memory without_indexes;
	/* Outcomes of changed definitions. */
	struct schema_notes notes;
};

void table_memory_add(struct table_memory *memory, uint32_t oid);
MUST_CHECK bool table_memory_has(const struct table_memory *memory, uint32_t oid);

struct fold_setup {
	const struct config *config;
	struct catalog *catalog;
	const struct dialect *dialect;
	struct connection *control; /* to the destination, for everything but batches */
	struct connection *source;	/* to read about tables that are not in the catalog */
	struct fold_memories *memories;
	struct pipeline *pipeline;
	struct backlog *backlog; /* for tables that are copied in the background; NULL: there are none */
	/* Set when the stream has changes of a table that the catalog lacks: they are skipped.  NULL: the session starts over
	 * instead, to read that table. */
	bool *saw_unknown_table;
	bool triggers_fire;
	struct monitor *monitor; /* gets the definitions that were followed; NULL: none */
	uint64_t applied_lsn;	 /* transactions whose commit record begins before this are skipped */
};

struct fold *fold_create(const struct fold_setup *setup);
void fold_destroy(struct fold *fold);

/* ERROR_STOPPED when a stop was requested or the pipeline failed meanwhile. */
MUST_CHECK bool fold_frame(struct fold *fold, struct bytes frame, struct error *err);

/* Whether the fold is between two transactions of the stream. */
bool fold_is_between(const struct fold *fold);
/* Between two transactions: folds a change that had to wait for the copy of its table. */
MUST_CHECK bool fold_set_aside_change(struct fold *fold, const struct backlog_entry *entry,
									  struct error *err);

/* How much of the open transactions is in memory, and how much in files, before compression. */
size_t fold_memory(const struct fold *fold);
uint64_t fold_spilled(const struct fold *fold);
/* How much of the descriptions is kept until another session with the source begins. */
size_t fold_kept(const struct fold *fold);
/* The commit time, at the source, of the transaction folded last, in microseconds since 2000; 0: none. */
int64_t fold_commit_time(const struct fold *fold);

#endif
