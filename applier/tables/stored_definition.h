/*
 * The stored definition: the definition of a source table that its target was last altered to fit, as kept
 * in sluice.tables.
 *
 * Its text is for comparing and for people: one line for the table (format, replica identity, storage),
 * then one for each column: attnum, type OID, typmod, flags, positions in the primary key, identity index
 * and unique index, version, name. If the column has a default, a line with "=" and the expression
 * follows.
 *
 * `storage` shows whether the server rewrote the table. For an ordinary table it is the file number
 * (relfilenode). For a partitioned table it is "start:" with what identifies the server's start, and then
 * "OID:file number" for each leaf, ordered by OID. A ! follows a leaf that was an ordinary table before it became
 * a partition, a ? one that may have been, if the server was started since the leaf was created.
 */
#ifndef SLUICE_STORED_DEFINITION_H
#define SLUICE_STORED_DEFINITION_H

#include "buffer.h"
#include "catalog.h"
#include "change.h"

void stored_definition_put(struct buffer *out, const struct source_table *source);
/* Of the types, only OID and modifier are filled in. False if the text cannot be parsed. */
MUST_CHECK bool stored_definition_parse(const char *text, struct source_table *source);

const struct source_column *stored_definition_find(const struct source_table *source, int attnum);
bool stored_definition_same_name(const struct source_table *a, const struct source_table *b);
/* Whether columns and primary key are the same; versions and storage are not compared. */
bool stored_definition_same(const struct source_table *a, const struct source_table *b);
/* Whether name, columns and primary key are the same in the stream's relation description. */
bool stored_definition_matches(const struct source_table *source, const struct change_relation *relation);

enum rewrite {
	REWRITE_NONE,
	REWRITE_VALUES,	   /* values of rows may have changed, and the stream has no change for them */
	REWRITE_PARTITIONS /* partitions were attached with rows, or detached */
};

/*
 * Compares two definitions of the same table. A rewrite that changes values leaves a new file and a new
 * version of the column. TRUNCATE, VACUUM FULL, CLUSTER and SET TABLESPACE leave only a new file; changes
 * of statistics targets, defaults and NOT NULL only a new version.
 */
enum rewrite stored_definition_rewritten(const struct source_table *before, const struct source_table *now);
/*
 * Whether both have the same files, so no row was rewritten in between; false if the files of either are
 * unknown.
 */
bool stored_definition_same_files(const struct source_table *a, const struct source_table *b);
/* Whether `now` should replace `before` as the start of later comparisons. */
bool stored_definition_moved(const struct source_table *before, const struct source_table *now);

/* Copies all fields. */
void stored_definition_copy(struct source_table *to, const struct source_table *from);
void stored_definition_copy_default(struct source_column *to, const struct source_column *from);
/*
 * For a target that is altered to fit `source`, but keeps the defaults it had under `before`: copies those
 * defaults. The defaults of new columns and of columns with another type become unknown.
 */
void stored_definition_keep_defaults(struct source_table *source, const struct source_table *before);
/*
 * For the definition of an earlier table with the same name: gives its columns the attnums of the columns
 * with the same names in `source`, and all others attnums that do not occur there.
 */
void stored_definition_match_names(struct source_table *definition, const struct source_table *source);
/* Copies what is known about the type. */
void stored_definition_copy_type(struct source_column *to, const struct source_column *from);

#endif
