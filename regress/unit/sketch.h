/*
 * Makes a table, as both servers would describe it, from a short list of its
 * columns: for tests of the modules between the stream and the merge plan.
 */
#ifndef SLUICE_SKETCH_H
#define SLUICE_SKETCH_H

#include "tables/shape.h"

#define SKETCH_COLUMNS 24

enum sketch_flags {
	SKETCH_KEY = 1,			/* part of the primary key, which is the replica identity */
	SKETCH_COMPUTED = 2,	/* generated at the target */
	SKETCH_TARGET_ONLY = 4, /* not at the source */
	SKETCH_DISTRIBUTES = 8, /* in the distribution key, in the order of the columns */
	SKETCH_GUARDED = 32,	/* in a unique constraint or partition key of the target */
	SKETCH_ALWAYS = 16,		/* GENERATED ALWAYS AS IDENTITY at the target */
};

struct sketch_type {
	uint32_t oid;
	uint16_t width;
	const char *schema;
	const char *name;
	const char *formatted;
	const char *base_schema; /* NULL: not a domain */
	const char *base_name;
	char base_typtype;
	const char *equality; /* NULL: the one of pg_catalog */
};

extern const struct sketch_type sketch_int4, sketch_int8, sketch_text, sketch_numeric;

struct sketch_column {
	const char *name;
	const struct sketch_type *type;
	unsigned flags;
};

struct sketch {
	struct change_relation relation;
	struct change_column columns[SKETCH_COLUMNS];
	struct table table;
	struct source_column source[SKETCH_COLUMNS];
	struct target_column target[SKETCH_COLUMNS];
};

/* `text`: values are sent as text.  All columns are selected, and the table streams. */
void sketch_init(struct sketch *sketch, const char *schema, const char *name, char identity, bool text,
				 const struct sketch_column *columns, unsigned count);

#endif
