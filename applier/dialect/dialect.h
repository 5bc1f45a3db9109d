/*
 * What differs between the kinds of destination.  One file for each generation
 * (dialect_postgresql.c, dialect_greenplum6.c, dialect_greenplum7.c); no code
 * outside them asks which destination it talks to.
 *
 * Which one a server needs is told by what it has, not by the name that it goes by: of the many that are built on
 * Greenplum each calls itself something else, and all have gp_distribution_policy.
 */
#ifndef SLUICE_DIALECT_H
#define SLUICE_DIALECT_H

#include "base/error.h"
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

	/* A table's storage is an access method, which the server may have or lack (USING …). */
	bool has_access_methods;

	/* Un-analyzed staging tables mislead the planner for append-optimized targets. */
	bool analyze_staging;

	/* The server vacuums and analyzes tables by itself; otherwise this program does, see upkeep.h. */
	bool has_autovacuum;

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
	 * these columns, given as positions in source.columns; an index may have expressions, too.
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
extern const struct dialect dialect_cloudberry;
extern const struct dialect dialect_adbpg6;
extern const struct dialect dialect_adbpg7;

/* By the configuration's name; NULL when there is none such. */
const struct dialect *dialect_by_name(const char *name);

/* Of tables in this storage, in the dialects that have it: whether they can have a primary key and unique indexes. */
bool dialect_storage_has_keys(enum table_storage storage);
/* As the configuration calls it. */
const char *dialect_storage_name(enum table_storage storage);

/* ---- which one a server needs */

/* What a server says about itself: the row that dialect_facts_sql yields, with a column for each member. */
struct dialect_facts {
	const char *version;		  /* version() */
	int server_version;			  /* server_version_num */
	bool has_distribution_policy; /* pg_catalog.gp_distribution_policy exists */
	const char *gp_version;		  /* gp_server_version_num; "" where there is none */
	const char *adbpg_version;	  /* likewise */
	const char *storages; /* " beam pax ", those that it has of the access methods not every server has */
};

/* For a session whose search path is pg_catalog. */
extern const char dialect_facts_sql[];

/* NULL where nothing tells. */
const struct dialect *dialect_detect(const struct dialect_facts *facts);
/*
 * The one that the configuration names, or with "auto" the detected one.  NULL, and the error says why: also where the
 * configuration names one of Greenplum's family and the server has no distribution policies, or the other way round.
 */
const struct dialect *dialect_choose(const struct dialect_facts *facts, const char *configured,
									 struct error *err);
/* What was found, for people: "PostgreSQL 9.4.26 (Greenplum Database 6.24.3), gp_distribution_policy, …". */
void dialect_describe(const struct dialect_facts *facts, char *out, size_t out_bytes);

/*
 * Of a table to be made, in percent; 0: as the server has it.  Updates in place stay on their page where it has room:
 * so without another word tables with updates and a key get DIALECT_FILLFACTOR.  Only heap tables have one, and on
 * Greenplum, whose default storage may be another, only those whose storage is configured as heap.
 */
unsigned dialect_fillfactor(const struct dialect *dialect, const struct table *table);
#define DIALECT_FILLFACTOR 90

#endif
