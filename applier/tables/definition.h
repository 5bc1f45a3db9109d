/*
 * The creation spec of a table: what it is made from besides its columns and keys,
 * that is, defaults, comments, secondary indexes, partitions, and the types of its columns.
 *
 * Read for tables that are missing at the destination, and for those alone.  All of it lies in
 * one arena, which the catalog owns.
 */
#ifndef SLUICE_DEFINITION_H
#define SLUICE_DEFINITION_H

#include "catalog.h"

struct column_definition {
	const char *default_sql;	 /* SQL as it stands; NULL: none */
	const char *default_refused; /* why the target does without it; NULL: it has it */
	const char *comment;		 /* NULL: none */
};

struct index_definition {
	const char *name;
	const char *constraint; /* "UNIQUE (a, b) …" of a constraint, otherwise NULL */
	const char *tail;		/* "USING btree (a, b) …", what follows the table's name */
	const char *refused;	/* why there will be none; NULL: the destination is asked for it */
	const char *expressions,
		*condition;					 /* as the source stores them, until they have been vetted; NULL: none */
	unsigned columns[TABLE_MAX_KEY]; /* positions in source.columns, without its expressions */
	unsigned column_count;
	bool unique;
	bool plain; /* over columns alone, all of them listed, and over every row */
};

struct partition_definition {
	uint32_t oid;
	uint32_t parent;
	const char *schema;
	const char *name;
	const char *bound;			 /* "FOR VALUES …" or "DEFAULT" */
	const char *key;			 /* "RANGE (at)" where it is partitioned itself, otherwise NULL */
	const char *key_expressions; /* of that key, as index_definition.expressions */
};

/* Of one table. */
struct definition {
	struct arena *memory;			   /* that all of it lies in */
	struct column_definition *columns; /* as source.columns */
	const char *comment;
	struct index_definition *indexes;
	unsigned index_count;
	/* Of a table without a key: 1 + the position in source.columns of the column whose index finds its rows; 0: none. */
	unsigned found_by;
	uint32_t oid;							   /* the table's */
	const char *partition_key;				   /* "RANGE (at)"; NULL: the target is one table */
	char partition_strategy;				   /* 'r', 'l', 'h' */
	unsigned partition_columns[TABLE_MAX_KEY]; /* positions in source.columns */
	unsigned partition_column_count;		   /* 0: there are expressions among them */
	const char *partition_expressions;		   /* as index_definition.expressions */
	const char *
		partition_refused; /* why the target is one table although the source's is not; NULL: it need not be */
	struct partition_definition *partitions; /* each after its parent */
	unsigned partition_count;
};

/* The default or a CHECK of a domain. */
struct domain_part {
	const char *name; /* of the constraint; NULL: the default */
	const char *sql;  /* "CHECK (…)", or the default's expression */
	const char *tree;
	const char *refused; /* why the domain is made without it; NULL: with it */
};

/* An enum, composite type, domain, range or multirange of a user. */
struct type_definition {
	uint32_t oid;
	uint32_t array_oid;
	const char *schema;
	const char *name;
	char kind; /* pg_type.typtype: e c d r m */
	const char
		*body; /* what follows CREATE TYPE name or CREATE DOMAIN name, without a domain's parts; NULL: it
						 comes with another */
	const char *plain_body; /* for a destination that refuses the other; NULL: none */
	const char *comment;
	bool not_null;			   /* a domain */
	struct domain_part *parts; /* of a domain; its default, where it has one, is the first */
	unsigned part_count;
	bool exists;		 /* at the destination */
	bool has_array;		 /* there, or will have: some have none of domains */
	const char *refused; /* why the destination does not take it; NULL: it does */
};

struct definitions {
	struct arena memory;
	struct type_definition *types; /* each after those that it is made of */
	unsigned type_count;
};

/* An empty one for the catalog, in place of what it had. */
struct definitions *definitions_create(struct catalog *catalog);
void definitions_destroy(struct catalog *catalog);

/* Whether `table` is made, and so has its definition read. */
static inline bool
definition_wanted(const struct table *table)
{
	return !table->target.exists;
}

/* Types that will be made count as there: their columns keep them. */
void definitions_mark_types(struct catalog *catalog);

#endif
