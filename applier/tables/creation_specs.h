/*
 * The creation spec of a table: all that it is made from besides its columns and keys, that is, defaults,
 * comments, secondary indexes, partitions, and the types of its columns.
 *
 * Read only for tables that are missing at the destination. All memory comes from one arena, which the
 * catalog owns.
 */
#ifndef SLUICE_CREATION_SPECS_H
#define SLUICE_CREATION_SPECS_H

#include "catalog.h"

struct column_spec {
	const char *default_sql;	 /* ready to use in SQL; NULL: none */
	const char *default_refused; /* why the target is made without it; NULL: it gets it */
	const char *comment;		 /* NULL: none */
};

struct index_spec {
	uint32_t oid;		   /* at the source */
	const char *signature; /* what tells it from the table's others, see index_plan.h */
	const char *comment;   /* NULL: none */
	const char *name;
	const char *constraint; /* "UNIQUE (a, b) …" if it belongs to a constraint; otherwise NULL */
	const char *tail;		/* "USING btree (a, b) …": the text after the table's name */
	const char *refused;	/* why it is not made; NULL: the destination is asked to make it */
	/* Trees as the source stores them, until they have been vetted; NULL: none. */
	const char *expressions;
	const char *condition;
	unsigned columns[TABLE_MAX_KEY]; /* positions in source.columns; expressions are not listed */
	unsigned column_count;
	bool unique;
	bool only_unique; /* left out where the destination cannot have it as unique */
	bool plain;		  /* covers every row, has no expressions, and `columns` lists all columns */
};

struct partition_spec {
	uint32_t oid;
	uint32_t parent;
	const char *schema;
	const char *name;
	const char *bound;			 /* "FOR VALUES …" or "DEFAULT" */
	const char *key;			 /* "RANGE (at)" if the partition is partitioned itself; otherwise NULL */
	const char *key_expressions; /* expressions of that key, as in index_definition */
};

/* The creation spec of one table. */
struct creation_spec {
	struct arena *memory;		 /* owner of all memory below */
	struct column_spec *columns; /* in the order of source.columns */
	const char *comment;
	bool comment_dropped; /* a comment, of a column or index, too, has a letter that the destination lacks */
	struct index_spec *indexes;
	unsigned index_count;
	/*
	 * For a table without a key: 1 + position in source.columns of the column whose index finds rows; 0:
	 * none.
	 */
	unsigned found_by;
	uint32_t oid;							   /* of the table */
	const char *partition_key;				   /* "RANGE (at)"; NULL: the target is one table */
	char partition_strategy;				   /* 'r', 'l', 'h' */
	unsigned partition_columns[TABLE_MAX_KEY]; /* positions in source.columns */
	unsigned partition_column_count;		   /* 0: the partition key contains expressions */
	const char *partition_expressions;		   /* as in index_definition */
	/* why the target of a partitioned table is made as one table; NULL: it is partitioned, too */
	const char *partition_refused;
	struct partition_spec *partitions; /* each one after its parent */
	unsigned partition_count;
};

/* The default of a domain, or one of its CHECK constraints. */
struct domain_part {
	const char *name; /* name of the constraint; NULL: it is the default */
	const char *sql;  /* "CHECK (…)", or the default's expression */
	const char *tree;
	const char *refused; /* why the domain is made without it; NULL: it gets it */
};

/* A user-defined enum, composite type, domain, range or multirange. */
struct type_spec {
	uint32_t oid;
	uint32_t array_oid;
	const char *schema;
	const char *name;
	char kind; /* pg_type.typtype: e c d r m */
	/*
	 * the text after CREATE TYPE name or CREATE DOMAIN name, without a domain's parts; NULL: another
	 * type's creation makes it
	 */
	const char *body;
	const char *plain_body; /* a simpler body, for a destination that refuses `body`; NULL: none */
	const char *comment;
	bool not_null;			   /* a domain is NOT NULL */
	struct domain_part *parts; /* of a domain; its default, if any, comes first */
	unsigned part_count;
	bool exists; /* at the destination */
	/* at the destination, now or once it is made; some servers make no array types for domains */
	bool has_array;
	const char *refused; /* why the destination refuses the type; NULL: it accepts it */
	bool lacks_letters;	 /* its encoding lacks a letter of the name or the definition */
};

struct creation_specs {
	struct arena memory;
	struct type_spec *types; /* each one after the types that it is made of */
	unsigned type_count;
};

/* Gives the catalog an empty struct, freeing the former one. */
struct creation_specs *creation_specs_create(struct catalog *catalog);
void creation_specs_destroy(struct catalog *catalog);

/* Whether the target is to be made, and therefore needs a creation spec. */
static inline bool
creation_spec_wanted(const struct table *table)
{
	return !table->target.exists;
}

/* Marks the types that will be made as existing at the destination, so that columns keep them. */
void creation_specs_mark_types(struct catalog *catalog);

#endif
