/*
 * The catalog of replicated tables: every selected table of the source with its
 * target, as read from both servers, and its state.
 *
 * Plain data.  The source and target modules fill it from the servers'
 * catalogs; the domain (DDL, merge plans, prechecks) reads it.
 */
#ifndef SLUICE_CATALOG_H
#define SLUICE_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "table_state.h"

struct definition;
struct definitions;

struct source_column {
	int attnum;
	char *name;
	uint32_t type;		/* pg_type.oid */
	uint32_t base_type; /* a domain's innermost base type, otherwise the type */
	uint32_t element;	/* an array's element type (of the base type), otherwise 0 */
	char typtype;		/* pg_type.typtype of the type itself: b c d e p r m */
	char base_typtype;	/* of base_type */
	char *type_schema;
	char *type_name;
	char *formatted;   /* format_type(): "numeric(10,2)", "public.mood[]"; SQL as it stands */
	char *base_schema; /* of base_type */
	char *base_name;
	char *base_formatted; /* of a domain: its base type with the domain's modifier, otherwise as formatted */
	char *extension;	  /* that the base type, or its element, belongs to; NULL: none */
	bool builtin; /* base type and array element are of pg_catalog and mean the same in every database */
	int typmod;
	bool not_null;
	bool generated;		   /* stored generated column; virtual ones are not listed */
	char identity;		   /* 'a', 'd' or 0 */
	int primary_position;  /* 1 … in the primary key, 0 outside */
	int identity_position; /* 1 … in the replica identity index, 0 outside */
	int unique_position;   /* 1 … in the best unique index over NOT NULL columns, 0 outside */
	char *default_sql; /* SQL as it stands; NULL: none; "": the target's is not known, see schema_default.h */
	char *default_tree; /* as the server stores it, until it has been vetted (servers/vetting.h); then NULL */
	char *default_refused; /* why no target gets it; NULL: it may have it */
	uint32_t version;	   /* xmin of its row in pg_attribute, which changes when the column is altered */

	/* Set by target_read_catalog(): the destination has a type of this schema (or extension) and name … */
	bool exists_at_target;
	bool base_exists_at_target; /* … and one of the base type's … */
	bool unhashable_at_target;	/* … which has no hash operator class there */
	char *
		schema_at_target; /* where the extension lies in another schema there: that, quoted; otherwise NULL */
};

struct source_table {
	uint32_t oid;
	char *schema;
	char *name;
	bool partitioned;
	bool partition; /* a leaf or inner partition of another table */
	char identity; /* pg_class.relreplident: d n f i; of a partitioned table what its leaves have in common */
	int64_t estimated_rows;		   /* 0: not known */
	int64_t bytes;				   /* with TOAST, of all partitions */
	char *storage;				   /* see stored_definition.h; NULL: not known */
	struct source_column *columns; /* live ones, by attnum */
	unsigned column_count;
	struct definition *definition; /* of a table to be made, see definition.h; otherwise NULL */
};

struct target_column {
	int attnum;
	char *name;
	uint32_t type;
	char *type_schema;
	char *type_name;
	char *formatted;   /* for casts and staging tables; SQL as it stands */
	char *base_schema; /* of a domain: its innermost base type, otherwise as type_… */
	char *base_name;
	char base_typtype; /* pg_type.typtype of that one */
	char *equality;	   /* OPERATOR(public.=) of a type whose = is not in pg_catalog, otherwise NULL */
	bool not_null;	   /* as a column or as a domain */
	bool has_default;
	bool generated;			   /* cannot be written */
	bool identity_always;	   /* GENERATED ALWAYS AS IDENTITY */
	int key_position;		   /* 1 … in the primary key */
	int distribution_position; /* 1 … in the distribution key, 0: not, or no such thing */
	bool
		guarded; /* of a partition key, or of a unique or exclusion constraint that does not hold the match key */
};

#define TABLE_MAX_KEY 32 /* INDEX_MAX_KEYS */

/* A secondary index, in SQL as it stands. */
struct target_index {
	char *name;					/* with its schema */
	char *definition;			/* CREATE INDEX …, or what a constraint has behind its name */
	char *constraint;			/* its name; NULL: it is none */
	int columns[TABLE_MAX_KEY]; /* attnums */
	unsigned column_count;
	bool plain; /* over columns alone, and over every row */
};

enum target_storage { TARGET_HEAP, TARGET_AO_ROW, TARGET_AO_COLUMN };

struct target_table {
	bool exists; /* something of that name does */
	uint32_t oid;
	uint32_t file; /* pg_class.relfilenode, at the coordinator; 0: it has none */
	char kind;	   /* pg_class.relkind; 'r' and 'p' can be written to, 'f' stands for external tables, too */
	bool partitioned;
	enum target_storage storage;
	bool has_match_unique; /* a unique index, or the primary key, is one over the match key */
	bool has_triggers;	   /* user triggers or foreign keys, either direction */
	bool has_children;	   /* tables inherit from it, and it is not partitioned */
	bool routes_rows;	   /* a trigger sees each row before it is inserted, and may put it elsewhere */
	char *rules;		   /* the names of those that rewrite what this session does; NULL: none */
	char *owner;		   /* the role that may vacuum it; NULL: this one may */
	char *primary_name;	   /* of the primary key's constraint; NULL: there is none */
	struct target_column *columns;
	unsigned column_count;
	/* Of servers with segments, which alter the type of no column that has an index. */
	struct target_index *indexes;
	unsigned index_count;
};

/* Whether sluice.tables has a row of a table, and what its names say. */
enum table_row {
	TABLE_ROW_NONE,
	TABLE_ROW_SAME,		  /* the name that the source has for the table today */
	TABLE_ROW_RENAMED,	  /* the name that the stream has for it yet, or had when the table was held */
	TABLE_ROW_RESELECTED, /* likewise, and its rows were copied by another override than that of the new name */
};

struct table {
	struct source_table source;
	char *target_schema;
	char *target_name;
	struct target_table target;
	const struct table_override *override; /* NULL: none */
	unsigned operations;				   /* enum operation bits */
	char *shared_with; /* names of all the tables that feed this target, itself among them; NULL: it alone */
	bool as_text;	   /* values must travel as text: a type is not portable or differs */
	bool rows_may_be_absent; /* by the way in which it was copied the target need not hold all of its rows */

	bool created; /* the target was made a moment ago, by this program */
	enum table_state state;
	enum table_row row;
	uint32_t predecessor; /* the table that had the name and the target before this one; 0: none */
	uint64_t
		altered_lsn; /* of one that is copied: the last transaction that changed its definition, 0: none yet */
	uint32_t target_oid;   /* the target that had the rows when that was written down last; 0: not known */
	uint32_t target_file;  /* and the file they were in */
	uint64_t snapshot_lsn; /* changes of transactions that committed before are in the copy */
	int64_t rows_copied;
	int64_t dead_rows; /* updated or deleted since the target was vacuumed, as it is stored */
	char *upkeep;	   /* why it is not vacuumed, likewise; NULL: it is, or need not be */
	char *error;	   /* why it is held */
	char *
		refused; /* the statements that the destination refused when it was last to be brought in line; NULL: none */

	/*
	 * What the source's table was when the target was last brought in line with it, as sluice.tables has
	 * it; NULL: there is no copy of it yet.  While a table follows, `source` describes it as of the position in
	 * the stream, which may be behind what the source's catalog says now.
	 */
	struct source_table *defined;
	bool partial; /* columns that the target lacks are left out (schema.changes: ignore) */
};

struct catalog {
	struct table *tables; /* ordered by schema and name */
	unsigned count;
	struct definitions *definitions; /* of the tables to be made; owned */
	char *blocked; /* why a new table is left out for now, see state_tables.h; NULL: none is */
	unsigned
		stray_rows;	  /* rows of sluice.tables that may be none of these tables', as far as they were read */
	bool states_read; /* the tables' rows in sluice.tables are taken into account */
};

/* The table with this source name, or NULL.  Binary search. */
struct table *catalog_find(const struct catalog *catalog, const char *schema, const char *name);
/* The table with this pg_class.oid at the source, or NULL.  Linear search. */
struct table *catalog_find_oid(const struct catalog *catalog, uint32_t oid);
/* The target's column of that name, or NULL. */
const struct target_column *target_find_column(const struct target_table *target, const char *name);
const struct source_column *source_find_column(const struct source_table *source, const char *name);

/* Whether both feed the same target. */
bool table_shares_target(const struct table *a, const struct table *b);

/*
 * The match key as positions in source.columns: the override's key, else the
 * replica identity index (identity 'i'), else the primary key, else, with identity FULL, the unique
 * index over NOT NULL columns.  Returns how many; 0: there is none, the whole row is
 * the key (identity FULL) or updates and deletes cannot be followed at all.
 */
unsigned table_match_key(const struct table *table, unsigned key[TABLE_MAX_KEY]);

/* Whether its updates or deletes are followed and the server logs no identity with them; or it has no column at all. */
bool table_lacks_identity(const struct table *table);

/*
 * Whether the table's values must travel as text: the binary form of one of its columns is not
 * portable, or not that of the target's column.  Columns that the target lacks count
 * by themselves.
 */
bool table_needs_text(const struct table *table);

/* Takes a table out; those behind it move up. */
void catalog_remove(struct catalog *catalog, struct table *table);
/* Orders the tables for catalog_find(). */
void catalog_sort(struct catalog *catalog);

void source_column_free(struct source_column *column);
void source_table_free(struct source_table *source);
void target_table_free(struct target_table *target);
/* There is no copy of it: table->defined goes. */
void table_forget_definition(struct table *table);
void table_free(struct table *table);
void catalog_free(struct catalog *catalog);

#endif
