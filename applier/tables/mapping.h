/*
 * How a source table is mapped to its target by its override: which columns
 * are replicated, under which names, which rows are selected, and which
 * tables share the target.
 *
 * Column names are the source's, as `key` and `distributed_by` are, unless a
 * name says otherwise.  Nothing here asks a server.
 */
#ifndef SLUICE_MAPPING_H
#define SLUICE_MAPPING_H

#include "buffer.h"
#include "catalog.h"

/* Whether the column travels: `columns` names it, or there is no such list. */
bool mapping_selects(const struct table *table, const char *column);

/* Whether `columns` leaves out some column that the table has. */
bool mapping_is_subset(const struct table *table);

/* Whether all columns travel, under their own names. */
bool mapping_keeps_columns(const struct table *table);

/* The name under which the column arrives, selected or not. */
const char *mapping_target_name(const struct table *table, const char *column);

/* The target's column that the source's feeds; NULL: it is left out, or the target lacks it. */
const struct target_column *mapping_find_target(const struct table *table, const char *column);

/* The source's column that feeds a column of the target; NULL: none does. */
const struct source_column *mapping_find_source(const struct table *table, const char *target_column);

/* The condition that selects the table's rows; NULL: all. */
const char *mapping_where(const struct table *table);

/*
 * The target's name for a statement on the rows that it holds (SELECT, UPDATE, DELETE, TRUNCATE): with ONLY, since
 * rows of tables that inherit from it are not the source's; without it where the target is partitioned and its rows
 * are its partitions'.  COPY and INSERT name the table alone.
 */
void mapping_put_target_rows(struct buffer *sql, const struct table *table);

/* What the configuration selects of the table, in words: columns, names, condition; "all" without any.  The caller
 * frees it. */
char *mapping_describe(const struct table *table);

/* Whether a copy that is made now leaves the target without rows that the source has, or with others among which they are
 * sought: then an update or a delete may meet none. */
bool mapping_copies_in_part(const struct table *table, const struct config *config);

/* Finds tables that share a target and sets table->shared_with of each. */
void mapping_find_shared(struct catalog *catalog);

/* Of tables that share a target the first makes it. */
bool mapping_is_first(const struct catalog *catalog, unsigned number);

/* Where the destination has refused a row: says whose key it may be that the target has already, or how
 * the target comes to take the value.  Other errors stay as they are. */
void mapping_explain_refusal(const struct table *table, struct error *err);

/* Whether the column is the first of an index over every row.  Known only of servers whose target_table.indexes are read. */
bool mapping_leads_index(const struct target_table *target, const struct target_column *column);

#endif
