/*
 * A random history: tables of random kinds, what a source does to them, and
 * the stream that tells of it, folded into a batch.
 *
 * It keeps three copies of each table: the source's, the reference, to which
 * each change was applied as it came, and the target, which the batch's merge
 * is to bring to the same.  Each step draws from its own random numbers, so
 * that a history that fails can be shortened by leaving steps out.
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

/* The source's columns; the target has them in the opposite order, with
 * columns of its own behind. */
enum { ID, PAIR, UNIQUE, BIG, HUGE, COMPUTED, NOTE, SOURCE_COLUMNS };

#define UNFED_FIRST SOURCE_COLUMNS
#define UNFED_MAX 2

struct world_table {
	unsigned number;
	char name[32];					  /* at the source */
	const struct world_table *shares; /* the target of this table, made before; NULL: it has one of its own */
	bool shared;					  /* its target has several sources */
	char identity;					  /* at the source */
	bool keyed;
	bool composite;
	bool unique;
	bool computed;
	bool domains; /* some columns are of domains: then keys go by staging, unless as text */
	bool triggers;
	bool text;
	bool inserts_only;
	bool pruned;		 /* somebody removes rows of the target, and the configuration says so */
	unsigned operations; /* that are followed */
	unsigned unfed;
	struct sketch sketch;
	struct minisql_table *source;	 /* what the source holds, with the target's extra columns */
	struct minisql_table *reference; /* the raw changes one after another, as the target has it */
	struct minisql_table *target;
	const struct shape *shape;
	uint32_t relation_number;
};

struct server;

struct history {
	uint64_t seed;
	struct server *server;			  /* NULL: in memory alone */
	bool (*apply)(struct history *h); /* what the batch holds, as a round of a larger transaction */
	const bool *enabled;			  /* by step */
	FILE *log;						  /* NULL: silent */
	struct arena arena;
	struct minisql source;
	struct minisql target;
	struct world_table tables[HISTORY_TABLES];
	unsigned table_count;
	const struct dialect *dialect; /* NULL at first: the seed chooses one */
	struct dialect own_dialect;	   /* that one, with a number of few rows of the seed's choice */
	struct batch *batch;
	struct shape shapes[HISTORY_SHAPES];
	struct stagings stagings;
	unsigned shape_count;
	bool in_transaction; /* at the server */
	struct change_decoder decoder;
	struct buffer frame;
	uint32_t fresh; /* the last key that nobody had before */
	uint64_t stamp; /* for the values of columns that are not fed */
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
/* The place of a column in reference and target, which may lack one. */
unsigned history_target_place(const struct world_table *t, unsigned column);

#define HISTORY_NOTE(h, ...)                                                                                 \
	do {                                                                                                     \
		if ((h)->log)                                                                                        \
			fprintf((h)->log, __VA_ARGS__);                                                                  \
	} while (0)

#endif
