/*
 * The stored definition: that of a source table as kept in sluice.tables, to
 * which the target was last matched.
 *
 * Its text is for comparing and for people: a line for the table (format,
 * replica identity, storage), then one for each column: attnum, type OID,
 * typmod, flags, positions in primary key, identity index and unique index,
 * version, name.  Where the column has a default, another line follows: = and the expression.
 *
 * `storage` tells whether the server rewrote the table: an ordinary table's
 * file number; of a partitioned one "OID:file number" of each leaf, by OID, with
 * a ! behind those that were tables of their own before they became partitions.
 */
#ifndef SLUICE_STORED_DEFINITION_H
#define SLUICE_STORED_DEFINITION_H

#include "buffer.h"
#include "catalog.h"
#include "change.h"

void stored_definition_put(struct buffer *out, const struct source_table *source);
/* Columns without what is known of their types but OID and modifier.  False when the text is none. */
MUST_CHECK bool stored_definition_parse(const char *text, struct source_table *source);

const struct source_column *stored_definition_find(const struct source_table *source, int attnum);
bool stored_definition_same_name(const struct source_table *a, const struct source_table *b);
/* Whether both say the same of columns and primary key; versions and storage aside. */
bool stored_definition_same(const struct source_table *a, const struct source_table *b);
/* Whether the stream's description says the same of name, columns and primary key. */
bool stored_definition_matches(const struct source_table *source, const struct change_relation *relation);

enum rewrite {
	REWRITE_NONE,
	REWRITE_VALUES,	   /* the rows' values may have changed without a word in the stream */
	REWRITE_PARTITIONS /* partitions came with rows, or went */
};

/*
 * Compares two states of the same table.  A rewrite leaves a new file behind
 * and a new version of the column; TRUNCATE, VACUUM FULL, CLUSTER and SET
 * TABLESPACE only the one, statistics, defaults and NOT NULL only the other.
 */
enum rewrite stored_definition_rewritten(const struct source_table *before, const struct source_table *now);
/* Whether both are known to lie in the same files: no row was rewritten in between. */
bool stored_definition_same_files(const struct source_table *a, const struct source_table *b);
/* Whether a later comparison should start from `now`. */
bool stored_definition_moved(const struct source_table *before, const struct source_table *now);

/* Copies with everything that is known. */
void stored_definition_copy(struct source_table *to, const struct source_table *from);
void stored_definition_copy_default(struct source_column *to, const struct source_column *from);
/* Where the target stands at another definition from here on, its defaults are still those of before; those of new columns,
 * and of columns with another type, are not known. */
void stored_definition_keep_defaults(struct source_table *source, const struct source_table *before);
/* A definition of another table of the same name: its columns get the numbers of those that have the same names in
 * `source`, and others numbers that no column has there. */
void stored_definition_match_names(struct source_table *definition, const struct source_table *source);
/* Takes over what is known of the type. */
void stored_definition_copy_type(struct source_column *to, const struct source_column *from);

#endif
