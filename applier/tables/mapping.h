/*
 * How an override maps a source table to its target: which columns are replicated and under which names,
 * which rows are selected, and which tables share the target.
 *
 * Column names are the source's (as in the settings `key` and `distributed_by`) unless a parameter's name
 * says otherwise. Nothing here asks a server.
 */
#ifndef SLUICE_MAPPING_H
#define SLUICE_MAPPING_H

#include "buffer.h"
#include "catalog.h"

/* Whether the column is replicated: the override's `columns` lists it, or there is no such list. */
bool mapping_selects(const struct table *table, const char *column);

/* Whether the override's `columns` excludes any column of the table. */
bool mapping_is_subset(const struct table *table);

/* Whether all columns are replicated under their own names. */
bool mapping_keeps_columns(const struct table *table);

/* The column's name at the target, whether it is selected or not. */
const char *mapping_target_name(const struct table *table, const char *column);

/* The target column that a source column feeds; NULL: it is not selected, or the target lacks it. */
const struct target_column *mapping_find_target(const struct table *table, const char *column);

/* The source column that feeds a target column; NULL: none does. */
const struct source_column *mapping_find_source(const struct table *table, const char *target_column);

/* The condition that selects the table's rows; NULL: all rows. */
const char *mapping_where(const struct table *table);

/*
 * Writes the target's name for a statement on its rows (SELECT, UPDATE, DELETE, TRUNCATE). ONLY precedes
 * it, since rows of inheriting tables do not come from the source; not for a partitioned target, whose
 * rows lie in its partitions. COPY and INSERT name just the table.
 */
void mapping_put_target_rows(struct buffer *sql, const struct table *table);

/*
 * Describes what the override selects: columns, renames, condition; "all" if there is none of these. The
 * caller frees it.
 */
char *mapping_describe(const struct table *table);

/*
 * Whether a copy made with this configuration may leave the target without some of the source's rows, or
 * mix them with other rows. Then an update or delete may find no row, which is no error.
 */
bool mapping_copies_in_part(const struct table *table, const struct config *config);

/* Finds tables that share a target and sets table->shared_with of each. */
void mapping_find_shared(struct catalog *catalog);

/* Whether the table is the first of those that share its target; the first one creates it. */
bool mapping_is_first(const struct catalog *catalog, unsigned number);

/*
 * For a row that the destination refused, adds a hint: which other table may own the key, or how the
 * target can take the value. Other errors stay unchanged.
 */
void mapping_explain_refusal(const struct table *table, struct error *err);

/* The remedy for a held table, once its cause is gone: how it gets a new copy, where its target may be cleared or not. */
const char *mapping_copy_remedy(const struct config *config, const struct table *table);

/*
 * Whether the column comes first in an index over every row. Known only for servers where
 * target_table.indexes is read.
 */
bool mapping_leads_index(const struct target_table *target, const struct target_column *column);

#endif
