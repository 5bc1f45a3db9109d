/*
 * What differs between the kinds of destination.  One file for each
 * (dialect_postgresql.c, dialect_greenplum6.c, dialect_greenplum7.c); no code
 * outside them asks which destination it talks to.
 */
#ifndef SLUICE_DIALECT_H
#define SLUICE_DIALECT_H

#include "buffer.h"
#include "catalog.h"

struct dialect {
	const char *name; /* as in destination.dialect */

	/* Statements for the start of each session, in one string. */
	const char *session_settings;

	/* Rows are found by (gp_segment_id, ctid) instead of ctid alone. */
	bool has_segments;

	/* Sessions may switch off triggers and foreign keys (session_replication_role); the
	 * program finds out whether this user may. */
	bool has_replication_role;

	/* Un-analyzed staging tables mislead the planner for append-optimized targets. */
	bool analyze_staging;

	/* Nobody vacuums the progress row but us. */
	bool vacuum_progress;

	/*
	 * The type a column of a created table gets; true when the destination
	 * lacks the source's type and text takes its place.
	 */
	bool (*put_column_type)(struct buffer *sql, const struct source_column *column);

	/* What follows the column list of CREATE TABLE: storage and distribution. */
	void (*put_table_options)(struct buffer *sql, const struct table *table);

	/*
	 * What follows the column list of CREATE TEMP TABLE for staging:
	 * ON COMMIT DELETE ROWS and, on Greenplum, DISTRIBUTED BY those of the
	 * staging table's columns that match the target's distribution key.
	 * `columns` are names in the staging table; 0 of them: any distribution.
	 */
	void (*put_staging_options)(struct buffer *sql, const char *const *columns, unsigned column_count);
};

extern const struct dialect dialect_postgresql;
extern const struct dialect dialect_greenplum6;
extern const struct dialect dialect_greenplum7;

/* By the configuration's name; NULL when there is none such. */
const struct dialect *dialect_by_name(const char *name);
/* By the server's version() text: "… (Greenplum Database 6.24.3 build …) …". */
const struct dialect *dialect_by_version(const char *version);

#endif
