/*
 * A cache with an entry for each relation whose changes were decoded: whether they are sent,
 * as changes of which relation, and how values are written.
 *
 * An entry belongs to the relation that the server reports as changed.  Its
 * description is what the client gets; the leaves of a partitioned table
 * share that of their root, as long as their replica identities are alike.  Invalidation
 * only marks an entry; the next look-up builds it again.  If the new
 * description equals an earlier one, that keeps its number.  Otherwise the new one gets the next number when it is
 * sent, which may be never, if a filter excludes all rows.
 */
#ifndef SLUICE_RELATION_CACHE_H
#define SLUICE_RELATION_CACHE_H

#include "postgres.h"

#include "utils/hsearch.h"
#include "utils/rel.h"

#include "common/change.h"

#include "describe.h"
#include "options.h"

/* One version of a table as the client sees it. */
struct description {
	struct change_relation relation;
	bool sent;
	bool announced;				  /* that it has a filter: see definitions_put_filtered() */
	TransactionId announced_by;	  /* the last transaction in progress in whose block that was announced */
	unsigned users;				  /* entries that point here; 0: it is freed */
	uint64_t generation;		  /* generation of the cache in which it was last found valid */
	MemoryContext context;		  /* its own */
	struct relation_entry *owner; /* the entry of the described table */
	struct description *next;	  /* next description of the same table */
};

struct relation_entry {
	Oid relid; /* the hash key */
	bool valid;
	bool partitioned;
	uint64_t generation;			 /* generation of the cache in which it was built; 0: not built */
	Oid target;						 /* the table it is reported as, or InvalidOid: not sent */
	struct description *description; /* NULL where the target is InvalidOid */
	struct filter *filter;			 /* NULL: all rows are sent */
	struct column_source *columns;	 /* description->relation.column_count of them */
	char *leaf_name;	   /* quoted schema and name, if it is a partition and sent as another table */
	MemoryContext context; /* of columns and leaf_name */
	/* Tables that it belongs to, or itself, are not selected; the client has not been told so since the entry was built. */
	bool missed;
	TransactionId missed_by; /* the last transaction in progress in whose block it was told */

	/* If the table itself or its leaves are sent as this table: all its descriptions. */
	struct description *descriptions;
	/* If it is partitioned: its leaves as of leaves_generation, sorted by OID. */
	uint32_t *leaves;
	unsigned leaf_count;
	uint64_t leaves_generation;
};

#define RELATION_CACHE_CHANGED 1024

struct relation_cache {
	const struct options *options;
	MemoryContext context;
	HTAB *entries;
	HTAB *types;				   /* hash values of the types that descriptions name */
	struct relation_entry *latest; /* found by the last look-up */
	uint64_t generation;		   /* entries of an earlier one are out of date */
	uint32_t last_number;		   /* the last number under which a description was sent */
	unsigned outdated;			   /* entries invalidated since clear_out() last ran */

	/* Relations invalidated since the transaction began; may contain duplicates. */
	Oid changed[RELATION_CACHE_CHANGED];
	unsigned changed_count;
	bool changed_more;	/* more relations than fit, or a schema, changed */
	bool types_changed; /* labels of an enum, or a composite type, changed */
};

/* The cache's memory belongs to `context` and goes at its reset. */
void relation_cache_init(struct relation_cache *cache, const struct options *options, MemoryContext context);

static inline void
relation_cache_forget_changed(struct relation_cache *cache)
{
	cache->changed_count = 0;
	cache->changed_more = false;
	cache->types_changed = false;
}

static inline bool
relation_cache_has_changed(const struct relation_cache *cache)
{
	return cache->changed_count > 0 || cache->changed_more || cache->types_changed;
}

/* Sorts the changed relations, removes duplicates, and returns how many there are. */
unsigned relation_cache_sort_changed(struct relation_cache *cache);
/* Whether the relation has a description, which the client may have. */
bool relation_cache_knows(struct relation_cache *cache, Oid relid);

/* The slow path of relation_cache_find(). */
struct relation_entry *relation_cache_look_up(struct relation_cache *cache, Relation relation);

static inline bool
relation_entry_is_current(const struct relation_cache *cache, const struct relation_entry *entry)
{
	return entry->valid && entry->generation == cache->generation;
}

/* Never NULL.  The contents of the entry are valid until the next look-up. */
static inline struct relation_entry *
relation_cache_find(struct relation_cache *cache, Relation relation)
{
	struct relation_entry *entry = cache->latest;

	if (entry && entry->relid == RelationGetRelid(relation) && relation_entry_is_current(cache, entry))
		return entry;
	return relation_cache_look_up(cache, relation);
}

#endif
