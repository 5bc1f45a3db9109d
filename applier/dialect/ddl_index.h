/*
 * Keys and indexes of created tables.
 */
#ifndef SLUICE_DDL_INDEX_H
#define SLUICE_DDL_INDEX_H

#include "buffer.h"
#include "dialect.h"
#include "tables/creation_specs.h"

/* The columns of the primary key that the created table gets, as positions in source.columns; 0: the source has
 * none, or the destination does not allow it. */
unsigned ddl_primary_key(const struct dialect *dialect, const struct table *table,
						 unsigned key[TABLE_MAX_KEY]);

/* Whether the source's table has a primary key that the created table does not get. */
bool ddl_lacks_primary_key(const struct dialect *dialect, const struct table *table);

/* ("a", "b") */
void ddl_put_key(struct buffer *sql, const struct table *table, const unsigned *key, unsigned count);

/* CREATE INDEX on the match key, where that is not the primary key. */
void ddl_put_match_index(struct buffer *sql, const struct dialect *dialect, const struct table *table);

/* A name with its NUL. */
#define DDL_NAME_BYTES 64

/* The name of the index at the target. */
void ddl_index_name(char out[DDL_NAME_BYTES], const struct table *table, const struct index_spec *index);
/* Whether the target can have the index; if not, `remark` says why, or is NULL where the target has it anyway. */
bool ddl_allows_index(const struct dialect *dialect, const struct table *table,
					  const struct index_spec *index, const char **remark);
/* CREATE INDEX; `tail` as in index_spec. */
void ddl_put_create_index(struct buffer *sql, const struct table *table, const char *name, bool unique,
						  bool concurrently, const char *tail);
void ddl_put_index_comment(struct buffer *sql, const char *schema, const char *name, const char *comment);

/* The statements of one secondary index or unique constraint, to be executed after the copy; false as in
 * ddl_allows_index().  One that the target cannot have as unique is not unique there, like those that are built later:
 * true, and `remark` says why. */
bool ddl_put_index(struct buffer *sql, const struct dialect *dialect, const struct table *table,
				   const struct index_spec *index, const char **remark);

/* The end of the name of the index that finds the rows of a table without a key: the index is dropped when its column gets
 * a type whose values an index may refuse. */
#define DDL_FINDING_INDEX "_sluice_idx"

/* The statement of that index, without which each batch of updates or deletes would read the whole table; false: there is
 * none to create. */
bool ddl_put_finding_index(struct buffer *sql, const struct table *table);

/* The statements of all of them, to be executed after the copy. */
void ddl_put_after_copy(struct buffer *sql, const struct dialect *dialect, const struct table *table);

#endif
