/*
 * What the plugin knows of each relation that it has met: whether its changes
 * are sent, as which relation's, and how its values are written.
 *
 * An entry belongs to the relation that the server reports as changed.  Its
 * description is what the client is told; the leaves of a partitioned table
 * share their root's, as long as their identities are alike.  Invalidation
 * only marks: the next look-up builds the entry again and compares; a
 * description that has not changed keeps its number, any other gets the next,
 * once it is sent: a filter may keep all of its rows back.
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
	unsigned users;				  /* entries that point here; 0: it is freed */
	uint64_t generation;		  /* of the cache, when it was last found true */
	MemoryContext context;		  /* its own */
	struct relation_entry *owner; /* the described table's own */
	struct description *next;	  /* of the same table */
};

struct relation_entry {
	Oid relid; /* the hash key */
	bool valid;
	bool partitioned;
	uint64_t generation;			 /* of the cache, as of which it is current; 0: not built */
	Oid target;						 /* the table it is reported as, or InvalidOid: not sent */
	struct description *description; /* NULL where the target is InvalidOid */
	struct filter *filter;			 /* of the described table's rows, NULL: all are sent */
	struct column_source *columns;	 /* description->relation.column_count of them */
	char *leaf_name;				 /* schema and name, quoted, of a partition reported as another table */
	MemoryContext context;			 /* of columns and leaf_name */

	/* Of a table that is described, by itself or by its leaves: */
	struct description *descriptions;
	/* Of one that is partitioned, as of leaves_generation: */
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
	struct relation_entry *latest; /* the last look-up's */
	uint64_t generation;		   /* entries of an earlier one are out of date */
	uint32_t last_number;		   /* that a description was sent under */
	unsigned outdated;			   /* entries marked since the last clearing out */

	/* Relations of which an invalidation told since the transaction began; with repetitions. */
	Oid changed[RELATION_CACHE_CHANGED];
	unsigned changed_count;
	bool changed_more;	/* more than there is room for, or all that are in a schema */
	bool types_changed; /* labels of an enum */
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

/* Sorts what has changed, each once, and returns how many there are. */
unsigned relation_cache_sort_changed(struct relation_cache *cache);
/* Whether the client was told of this relation. */
bool relation_cache_knows(struct relation_cache *cache, Oid relid);

/* The slow path of relation_cache_find(). */
struct relation_entry *relation_cache_look_up(struct relation_cache *cache, Relation relation);

static inline bool
relation_entry_is_current(const struct relation_cache *cache, const struct relation_entry *entry)
{
	return entry->valid && entry->generation == cache->generation;
}

/* Never NULL; lives as long as the cache, its contents until the next look-up. */
static inline struct relation_entry *
relation_cache_find(struct relation_cache *cache, Relation relation)
{
	struct relation_entry *entry = cache->latest;

	if (entry && entry->relid == RelationGetRelid(relation) && relation_entry_is_current(cache, entry))
		return entry;
	return relation_cache_look_up(cache, relation);
}

#endif
