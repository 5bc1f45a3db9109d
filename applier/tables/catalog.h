/*
 * The catalog of replicated tables: every selected table of the source with its target, as read from both
 * servers, and its state.
 *
 * Plain data. The modules of servers/ fill it from the servers' catalogs; DDL, merge plans and prechecks
 * read it.
 */
#ifndef SLUICE_CATALOG_H
#define SLUICE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "table_state.h"

struct creation_spec;
struct creation_specs;

struct source_column {
	int attnum;
	char *name;
	uint32_t type;		/* pg_type.oid */
	uint32_t base_type; /* a domain's innermost base type, otherwise the type */
	uint32_t element;	/* an array's element type (of the base type), otherwise 0 */
	char typtype;		/* pg_type.typtype of the type itself: b c d e p r m */
	char base_typtype;	/* pg_type.typtype of base_type */
	char *type_schema;
	char *type_name;
	char *formatted;   /* format_type(): "numeric(10,2)", "public.mood[]"; ready to use in SQL */
	char *base_schema; /* of base_type */
	char *base_name;
	/* for a domain its base type with the domain's modifier; otherwise as `formatted` */
	char *base_formatted;
	char *extension; /* the extension of the base type, or of its element type; NULL: none */
	bool builtin;	 /* base type and array element lie in pg_catalog and mean the same in every database */
	int typmod;
	bool not_null;
	bool generated;		   /* stored generated column; virtual ones are not listed */
	char identity;		   /* 'a', 'd' or 0 */
	int primary_position;  /* 1 … in the primary key, 0 outside */
	int identity_position; /* 1 … in the replica identity index, 0 outside */
	int unique_position;   /* 1 … in the best unique index over NOT NULL columns, 0 outside */
	/* ready to use in SQL; NULL: no default; "": the target's default is unknown, see schema_default.h */
	char *default_sql;
	/* the server's stored tree of the default, until it has been vetted (servers/vetting.h); then NULL */
	char *default_tree;
	char *default_refused; /* why no target gets the default; NULL: it may have it */
	/* xmin of the column's row in pg_attribute, which changes when the column is altered */
	uint32_t version;

	/*
	 * Set by target_read_catalog(): whether the destination has a type of this schema (or extension) and
	 * name.
	 */
	bool exists_at_target;
	bool base_exists_at_target; /* the same for the base type */
	bool unhashable_at_target;	/* the base type has no hash operator class at the destination */
	/* quoted schema of the extension's type at the destination, if it differs; otherwise NULL */
	char *schema_at_target;
};

struct source_table {
	uint32_t oid;
	char *schema;
	char *name;
	bool partitioned;
	bool partition; /* a leaf or a partitioned partition of another table */
	/* pg_class.relreplident: d n f i; for a partitioned table what its leaves have in common */
	char identity;
	int64_t estimated_rows;		   /* 0: unknown */
	int64_t bytes;				   /* including TOAST; for a partitioned table the sum of all partitions */
	char *storage;				   /* see stored_definition.h; NULL: unknown */
	struct source_column *columns; /* columns that are not dropped, ordered by attnum */
	unsigned column_count;
	/* the creation spec, if the target is to be made, see creation_specs.h; otherwise NULL */
	struct creation_spec *creation_spec;
};

struct target_column {
	int attnum;
	char *name;
	uint32_t type;
	char *type_schema;
	char *type_name;
	char *formatted;   /* for casts and staging tables; ready to use in SQL */
	char *base_schema; /* for a domain its innermost base type; otherwise as type_schema and type_name */
	char *base_name;
	char base_typtype; /* pg_type.typtype of the base type */
	char *equality;	   /* "OPERATOR(public.=)" if the type's = is not in pg_catalog; otherwise NULL */
	bool not_null;	   /* by the column or by its domain */
	bool has_default;
	bool generated;			   /* cannot be written */
	bool identity_always;	   /* GENERATED ALWAYS AS IDENTITY */
	int key_position;		   /* 1 … in the primary key */
	int distribution_position; /* 1 … in the distribution key, 0: not part of it, or there is none */
	/* in a partition key, or in a unique or exclusion constraint that does not contain the match key */
	bool guarded;
};

#define TABLE_MAX_KEY 32 /* INDEX_MAX_KEYS */

/* A secondary index; its texts are ready to use in SQL. */
struct target_index {
	char *name;					/* qualified with its schema */
	char *definition;			/* CREATE INDEX …, or the part of a constraint after its name */
	char *constraint;			/* name of the constraint; NULL: it is no constraint */
	int columns[TABLE_MAX_KEY]; /* attnums */
	unsigned column_count;
	bool plain; /* covers every row, and has no expressions */
};

enum target_storage { TARGET_HEAP, TARGET_AO_ROW, TARGET_AO_COLUMN };

struct target_table {
	bool exists; /* a relation of that name exists */
	uint32_t oid;
	uint32_t file; /* pg_class.relfilenode at the coordinator; 0: none */
	char kind;	   /* pg_class.relkind; only 'r' and 'p' can be written to; 'f' includes external tables */
	bool partitioned;
	enum target_storage storage;
	bool has_match_unique; /* a unique index or the primary key has exactly the columns of the match key */
	bool has_triggers;	   /* enabled user triggers, or foreign keys from or to the table */
	bool has_children;	   /* other tables inherit from it, and it is not partitioned */
	bool routes_rows;	   /* a trigger BEFORE INSERT sees each row and may put it into another table */
	char *rules;		   /* names of the rules that fire in this session; NULL: none */
	char *owner;		   /* the role that may vacuum the table; NULL: this session may */
	char *primary_name;	   /* name of the primary key's constraint; NULL: none */
	struct target_column *columns;
	unsigned column_count;
	/*
	 * Read only from servers with segments, which cannot alter the type of a column that has an index.
	 */
	struct target_index *indexes;
	unsigned index_count;
};

/* Whether sluice.tables has a row for the table, and which name that row has. */
enum table_row {
	TABLE_ROW_NONE,
	TABLE_ROW_SAME,	   /* the table's present name at the source */
	TABLE_ROW_RENAMED, /* an earlier name: the stream still uses it, or the table was held under it */
	/* an earlier name, under which another override selected the rows that were copied */
	TABLE_ROW_RESELECTED,
};

struct table {
	struct source_table source;
	char *target_schema;
	char *target_name;
	struct target_table target;
	const struct table_override *override; /* NULL: none */
	unsigned operations;				   /* enum operation bits */
	/* names of all tables that feed this target, itself included; NULL: it alone feeds it */
	char *shared_with;
	bool as_text; /* values must be sent as text: a type is not portable, or differs from the target's */
	bool rows_may_be_absent; /* the copy need not have brought all rows, see mapping_copies_in_part() */

	bool created; /* the target was created by this process */
	enum table_state state;
	enum table_row row;
	uint32_t predecessor; /* OID of the table that had the name and the target before this one; 0: none */
	/* of a table that is being copied: the last transaction that changed its definition; 0: none */
	uint64_t altered_lsn;
	uint32_t target_oid;   /* OID of the target when its state was last stored; 0: unknown */
	uint32_t target_file;  /* relfilenode of the target at that time */
	uint64_t snapshot_lsn; /* the copy includes the transactions that committed before this LSN */
	int64_t rows_copied;
	int64_t dead_rows;	   /* rows updated or deleted since the target was last vacuumed, as stored */
	char *upkeep;		   /* why the target is not vacuumed, as stored; NULL: it is, or needs no vacuum */
	bool indexes_followed; /* this task created the target, so its indexes follow those of the source */
	bool indexes_changed;  /* the stream has announced another definition of the table */
	bool indexes_behind;   /* they may differ */
	bool indexes_ours;	   /* sluice.indexes names some of the target's */
	uint64_t indexes_lsn;  /* of the source when it was seen that they differ; 0: not yet */
	/* statements that drop indexes which the source has no more, but others had locked at the start; NULL: none */
	char *index_drops;
	char *indexing; /* what is being done about an index, or why it is not; NULL: nothing */
	char *error;	/* why the table is held */
	/* statements that the destination refused when the target was last altered to fit; NULL: none */
	char *refused;

	/*
	 * The stored definition: what the source's table was when the target was last altered to fit it; NULL:
	 * there is no copy yet. While a table follows the stream, `source` describes it at the stream's position,
	 * which may be older than the source's catalog.
	 */
	struct source_table *defined;
	bool partial; /* columns that the target lacks are not replicated (schema.changes: ignore) */
};

struct catalog {
	struct table *tables; /* ordered by schema and name */
	unsigned count;
	struct creation_specs *creation_specs; /* creation specs of the tables to be made; owned */
	char *blocked; /* why a new table is not taken in yet, see state_tables.h; NULL: none */
	/* rows of sluice.tables that may belong to none of these tables, as far as they were read */
	unsigned stray_rows;
	bool states_read; /* the rows of sluice.tables have been read into the tables */
};

/* The table with this source name, or NULL.  Binary search. */
struct table *catalog_find(const struct catalog *catalog, const char *schema, const char *name);
/* The table with this pg_class.oid at the source, or NULL.  Linear search. */
struct table *catalog_find_oid(const struct catalog *catalog, uint32_t oid);
/* NULL if there is no such column. */
const struct target_column *target_find_column(const struct target_table *target, const char *name);
const struct source_column *source_find_column(const struct source_table *source, const char *name);

bool table_shares_target(const struct table *a, const struct table *b);

/*
 * Writes the match key as positions in source.columns and returns its length. The key is, in this order:
 * the override's key; the replica identity index (identity 'i'); the primary key; with identity FULL, the
 * unique index over NOT NULL columns. 0: there is none. Then rows are matched as a whole (identity FULL),
 * or updates and deletes cannot be followed.
 */
unsigned table_match_key(const struct table *table, unsigned key[TABLE_MAX_KEY]);

/*
 * Whether the table's updates or deletes are to be followed but the server logs no old key for them; also
 * true if it has no columns.
 */
bool table_lacks_identity(const struct table *table);

/*
 * Whether the table's values must be sent as text: the binary form of a column is not portable, or its
 * target column reads another form. A column that the target lacks counts if its own type is not portable.
 */
bool table_needs_text(const struct table *table);

/* Removes a table from the array; pointers to the tables after it become invalid. */
void catalog_remove(struct catalog *catalog, struct table *table);
/* Sorts the tables for catalog_find(). */
void catalog_sort(struct catalog *catalog);

void source_column_free(struct source_column *column);
void source_table_free(struct source_table *source);
void target_table_free(struct target_table *target);
/* Frees table->defined: there is no copy of the table. */
void table_forget_creation_spec(struct table *table);
void table_free(struct table *table);
void catalog_free(struct catalog *catalog);

#endif
