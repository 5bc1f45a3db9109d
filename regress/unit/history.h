/*
 * A random history: tables of random kinds, random operations of a source on
 * them, and the stream of these changes, folded into a batch.
 *
 * There are three copies of each table: the source's; the reference, to which
 * each change is applied as it comes; and the target, which the merge of the batch
 * must make equal to the reference.  Each step draws from its own random numbers, so
 * that a failing history can be shortened by leaving steps out.
 */
#ifndef SLUICE_HISTORY_H
#define SLUICE_HISTORY_H

#include <stdio.h>

#include "merge/batch_order.h"
#include "merge/merge_outcome.h"
#include "minisql.h"
#include "sketch.h"

#define HISTORY_TABLES 3
#define HISTORY_SHAPES 64
#define HISTORY_FRAME_LIMIT ((size_t) 1 << 20)

/* The source's columns; the target has them in the opposite order, followed by
 * columns of its own. */
enum { ID, PAIR, UNIQUE, BIG, HUGE, COMPUTED, NOTE, SOURCE_COLUMNS };

#define UNFED_FIRST SOURCE_COLUMNS
#define UNFED_MAX 2

struct world_table {
	unsigned number;
	char name[32]; /* at the source */
	/* The earlier table whose target it shares; NULL: it has a target of its own. */
	const struct world_table *shares;
	bool shared;   /* its target has several sources */
	char identity; /* at the source */
	bool keyed;
	bool composite;
	bool unique;
	bool computed;
	bool domains; /* some columns have domain types: then keys are staged, unless they are text */
	bool triggers;
	bool text;
	bool inserts_only;
	bool pruned;		 /* rows_may_be_absent: rows of the target are removed */
	unsigned operations; /* the operations that are replicated */
	unsigned unfed;
	struct sketch sketch;
	struct minisql_table *source;	 /* the source's rows, with the target's extra columns */
	struct minisql_table *reference; /* all changes applied one by one, in the target's columns */
	struct minisql_table *target;
	const struct shape *shape;
	uint32_t relation_number;
};

struct server;

struct history {
	uint64_t seed;
	struct server *server;			  /* NULL: only in memory */
	bool (*apply)(struct history *h); /* applies the batch, as a round of a larger transaction */
	const bool *enabled;			  /* by step */
	FILE *log;						  /* NULL: silent */
	struct arena arena;
	struct minisql source;
	struct minisql target;
	struct world_table tables[HISTORY_TABLES];
	unsigned table_count;
	const struct dialect *dialect; /* NULL at first: the seed chooses one */
	struct dialect own_dialect;	   /* a copy of it, with few_rows chosen by the seed */
	struct batch *batch;
	struct shape shapes[HISTORY_SHAPES];
	struct stagings stagings;
	unsigned shape_count;
	bool in_transaction; /* at the server */
	struct change_decoder decoder;
	struct buffer frame;
	uint32_t fresh; /* the last key that was given out as a new one */
	uint64_t stamp; /* for values of columns that the source does not have */
	int64_t statements;
	char problem[2048];
};

/* Makes the tables of the history's seed and describes them in its stream. */
bool history_start(struct history *h);
void history_finish(struct history *h);
/* One step of the source. */
bool history_step(struct history *h, uint64_t *random);

/* Remembers the first problem; returns false. */
bool history_fail(struct history *h, const char *what, const char *why);

uint64_t history_draw(uint64_t *random);
unsigned history_below(uint64_t *random, unsigned limit);
bool history_chance(uint64_t *random, unsigned percent);

struct cell history_cell(struct history *h, const void *data, size_t len);
bool history_is_key(const struct world_table *t, unsigned column);
bool history_is_at_target(const struct world_table *t, unsigned column);
/* The position of a column in reference and target, which may lack one of the columns. */
unsigned history_target_place(const struct world_table *t, unsigned column);

#define HISTORY_NOTE(h, ...)                                                                                 \
	do {                                                                                                     \
		if ((h)->log)                                                                                        \
			fprintf((h)->log, __VA_ARGS__);                                                                  \
	} while (0)

#endif
