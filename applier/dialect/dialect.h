/*
 * The differences between the kinds of destination. One file for each
 * generation (dialect_postgresql.c, dialect_greenplum6.c,
 * dialect_greenplum7.c); other code does not ask which destination it talks to.
 *
 * The dialect is chosen by the server's features, not by its name: each of the
 * many products that are based on Greenplum has another name, but all have
 * gp_distribution_policy.
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
	const char *key_columns; /* how many of indkey are key columns */
	const char *hides_rows;	 /* boolean over a table's OID t: row-level security applies to this user */
	bool enforces_foreign_keys;

	/* Query for the tables $1::oid[]: table OID, attnums of the distribution key as text "2 1", ordered by OID.
	 * NULL: there are no distribution keys. */
	const char *distribution;

	/* Query with the same parameter: table OID, name of a partition key column of the table or of one of its
	 * partitions ('' for an expression). */
	const char *partition_keys;
};

struct dialect {
	const char *name; /* as in destination.dialect */

	/* A statement after the session settings that saves those which with_nested_loops restores. NULL: none. */
	const char *remember_planner;

	/* Rows are found by (gp_segment_id, ctid) instead of ctid alone. */
	bool has_segments;

	/* Sessions can turn off triggers and foreign keys (session_replication_role), if the user may. */
	bool has_replication_role;

	/* Partitions are tables, created with CREATE TABLE … PARTITION OF; otherwise CREATE TABLE lists them. */
	bool has_declarative_partitions;

	/* The storage of a table is an access method (USING …), which the server may lack. */
	bool has_access_methods;

	/* Staging tables without statistics mislead the planner if the target is append-optimized. */
	bool analyze_staging;

	/* The server vacuums and analyzes tables by itself; otherwise this program does, see upkeep.h. */
	bool has_autovacuum;

	/* Statements before and after one that must be planned without nested loops, which the session otherwise
	 * prefers. */
	const char *without_nested_loops;
	const char *with_nested_loops;

	/* Up to this many rows of a table are inserted or deleted one by one: that costs the server less time than a
	 * COPY or an array of keys, and no round trip. */
	int few_rows;

	/* Up to this many rows of a heap table are deleted or updated with arrays as parameters; 0: MERGE_FEW_KEYS. More
	 * than that where a staging table slows down every commit. */
	int array_rows;

	/* The queries of target.c for this server's system catalogs. */
	struct dialect_catalog catalog;

	/*
	 * Whether a created table can have a unique index (a primary key) over
	 * these columns, given as positions in source.columns; an index may have expressions, too.
	 */
	bool (*allows_unique)(const struct table *table, const unsigned *columns, unsigned column_count);

	/* Appends what follows the column list of CREATE TABLE: storage, fillfactor (percent; 0: the server's default)
	 * and distribution, each on a new line. */
	void (*put_table_options)(struct buffer *sql, const struct table *table, unsigned fillfactor);

	/* Appends what follows the column list of CREATE TEMP TABLE for staging: ON COMMIT DELETE ROWS and, on
	 * Greenplum, DISTRIBUTED BY those `columns` of the staging table that match the target's distribution key. 0
	 * columns: any distribution. */
	void (*put_staging_options)(struct buffer *sql, const char *const *columns, unsigned column_count);
};

/* The query for partition keys where partitions are tables, each with its own attribute numbers. */
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

/* Finds a dialect by its name in the configuration; NULL: there is none. */
const struct dialect *dialect_by_name(const char *name);

/* Whether tables with this storage can have a primary key and unique indexes. */
bool dialect_storage_has_keys(enum table_storage storage);
/* The storage's name in the configuration. */
const char *dialect_storage_name(enum table_storage storage);

/* ---- detecting the dialect */

/* The facts about a server: the columns of the row that dialect_facts_sql returns. */
struct dialect_facts {
	const char *version;		  /* version() */
	int server_version;			  /* server_version_num */
	bool has_distribution_policy; /* pg_catalog.gp_distribution_policy exists */
	const char *gp_version;		  /* gp_server_version_num; "": it has none */
	const char *adbpg_version;	  /* likewise */
	const char *storages;		  /* " beam pax ", those that it has of the optional access methods */
};

/* To be executed in a session whose search path is pg_catalog. */
extern const char dialect_facts_sql[];

/* The detected dialect; NULL: unknown. */
const struct dialect *dialect_detect(const struct dialect_facts *facts);
/* The dialect that the configuration names, or with "auto" the detected one. NULL with an error also where the
 * configuration names a dialect of Greenplum and the server has no distribution policies, or the reverse. */
const struct dialect *dialect_choose(const struct dialect_facts *facts, const char *configured,
									 struct error *err);
/* The facts as text for messages: "PostgreSQL 9.4.26 (Greenplum Database 6.24.3), gp_distribution_policy, …". */
void dialect_describe(const struct dialect_facts *facts, char *out, size_t out_bytes);

/* The fillfactor of a created table, in percent; 0: the server's default. An update stays on its page if that has
 * room, so tables with updates and a key get DIALECT_FILLFACTOR unless configured. Only heap tables have a fillfactor;
 * on Greenplum, whose default storage may be another, only those whose storage is configured as heap. */
unsigned dialect_fillfactor(const struct dialect *dialect, const struct table *table);
#define DIALECT_FILLFACTOR 90

#endif
