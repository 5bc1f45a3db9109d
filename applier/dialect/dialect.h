/*
 * What differs between the kinds of destination.  One file for each
 * (dialect_postgresql.c, dialect_greenplum6.c, dialect_greenplum7.c); no code
 * outside them asks which destination it talks to.
 */
#ifndef SLUICE_DIALECT_H
#define SLUICE_DIALECT_H

#include "buffer.h"
#include "tables/catalog.h"

/* SQL expressions over pg_class c, pg_attribute a and pg_index i. */
struct dialect_catalog {
	const char *kind; /* struct target_table's kind */
	const char
		*partitioned;	 /* boolean: a partitioned table, or a partition of one that has partitions itself */
	const char *storage; /* 'h', 'a' row-oriented or 'c' column-oriented append-optimized */
	const char *generated;	 /* boolean */
	const char *identity;	 /* 'a', 'd' or '' */
	const char *key_columns; /* how many of indkey are the key */
	bool enforces_foreign_keys;

	/* Query: table OID, attnums of its distribution key as text "2 1"; for the
	 * tables $1::oid[], ordered by OID.  NULL: there is no such thing. */
	const char *distribution;

	/* Query: table OID, name of a column of a partition key of the table or of one of its partitions, '' for an
	 * expression; otherwise like `distribution`. */
	const char *partition_keys;
};

struct dialect {
	const char *name; /* as in destination.dialect */

	/* Follows the session settings: keeps what with_nested_loops brings back.  NULL: nothing to keep. */
	const char *remember_planner;

	/* Rows are found by (gp_segment_id, ctid) instead of ctid alone. */
	bool has_segments;

	/* Sessions may switch off triggers and foreign keys (session_replication_role); the
	 * program finds out whether this user may. */
	bool has_replication_role;

	/* Partitions are tables, made by CREATE TABLE … PARTITION OF; otherwise the table's own
	 * statement lists them. */
	bool has_declarative_partitions;

	/* Un-analyzed staging tables mislead the planner for append-optimized targets. */
	bool analyze_staging;

	/* The planner goes by the last ANALYZE, which nobody makes but us; see statistics.h. */
	bool analyze_targets;

	/* Nobody vacuums the progress row but us. */
	bool vacuum_progress;

	/* Around a statement that is to be planned without nested loops, which the session prefers elsewhere. */
	const char *without_nested_loops;
	const char *with_nested_loops;

	/* Up to this many rows of a table are inserted or deleted by statements of
	 * their own: that takes the server less time than a COPY or an array of keys,
	 * and needs no round trip. */
	int few_rows;

	/* Up to this many rows of a heap table are deleted or updated by arrays as parameters; 0: MERGE_FEW_KEYS.  Where a
	 * staging table makes each commit slower that pays for longer. */
	int array_rows;

	/* How the destination's system catalogs say what target.c asks them. */
	struct dialect_catalog catalog;

	/*
	 * Whether a created table can have a unique index (a primary key) over
	 * these columns, given as positions in source.columns; an index may have expressions beside them.
	 */
	bool (*allows_unique)(const struct table *table, const unsigned *columns, unsigned column_count);

	/* What follows the column list of CREATE TABLE: storage, fillfactor (percent; 0: as the server has it) and
	 * distribution, each beginning with a new line. */
	void (*put_table_options)(struct buffer *sql, const struct table *table, unsigned fillfactor);

	/*
	 * What follows the column list of CREATE TEMP TABLE for staging:
	 * ON COMMIT DELETE ROWS and, on Greenplum, DISTRIBUTED BY those of the
	 * staging table's columns that match the target's distribution key.
	 * `columns` are names in the staging table; 0 of them: any distribution.
	 */
	void (*put_staging_options)(struct buffer *sql, const char *const *columns, unsigned column_count);
};

/* The query for the partition keys where partitions are tables, each with attribute numbers of its own. */
#define DIALECT_PARTITION_KEYS                                                                               \
	"WITH RECURSIVE tree (root, oid) AS (SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY ($1::oid[])"  \
	" AND c.relkind = 'p' UNION ALL SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i"                \
	" ON i.inhparent = t.oid) SELECT t.root, coalesce(a.attname, '') FROM tree t JOIN pg_partitioned_table"  \
	" p ON p.partrelid = t.oid CROSS JOIN LATERAL unnest(p.partattrs::int2[]) k (attnum) LEFT JOIN"          \
	" pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum ORDER BY t.root"

extern const struct dialect dialect_postgresql;
extern const struct dialect dialect_greenplum6;
extern const struct dialect dialect_greenplum7;

/* By the configuration's name; NULL when there is none such. */
const struct dialect *dialect_by_name(const char *name);
/* By the server's version() text: "… (Greenplum Database 6.24.3 build …) …". */
const struct dialect *dialect_by_version(const char *version);

/*
 * Of a table to be made, in percent; 0: as the server has it.  Updates in place stay on their page where it has room:
 * so without another word tables with updates and a key get DIALECT_FILLFACTOR.  Only heap tables have one, and on
 * Greenplum, whose default storage may be another, only those whose storage is configured as heap.
 */
unsigned dialect_fillfactor(const struct dialect *dialect, const struct table *table);
#define DIALECT_FILLFACTOR 90

#endif
