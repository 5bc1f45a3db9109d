#include "relation_cache.h"

#include "access/transam.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "encoding.h"
#include "filter.h"

/*
 * The cache that invalidation callbacks mark.  Callbacks cannot be unregistered, so they stay
 * for the life of the process, and find NULL here when no slot is in use.
 */
static struct relation_cache *current;

/* ---- invalidation: only marks entries, since it may come at any time */

static void
invalidate_all(struct relation_cache *cache)
{
	cache->generation++;
}

/* Allocates nothing, since an invalidation must not fail. */
static void
note_changed(struct relation_cache *cache, Oid relid)
{
	if (!cache->options->definitions || relid < FirstNormalObjectId)
		return;
	if (cache->changed_count > 0 && cache->changed[cache->changed_count - 1] == relid)
		return;
	if (cache->changed_count == RELATION_CACHE_CHANGED)
		cache->changed_more = true;
	else
		cache->changed[cache->changed_count++] = relid;
}

static void
on_relation_change(Datum arg, Oid relid)
{
	struct relation_entry *entry;

	(void) arg;
	if (!current)
		return;
	if (!OidIsValid(relid)) {
		invalidate_all(current);
		return;
	}
	note_changed(current, relid);
	entry = hash_search(current->entries, &relid, HASH_FIND, NULL);
	if (!entry)
		return;
	/* Until 13, each command of a transaction invalidates again what those before it changed. */
	if (entry->valid)
		current->outdated++;
	entry->valid = false;
	/* Entries of its partitions depend on a partitioned table. */
	if (entry->partitioned)
		invalidate_all(current);
}

static void
on_schema_change(Datum arg, int cache_id, uint32 hash)
{
	(void) arg;
	(void) cache_id;
	(void) hash;
	if (!current)
		return;
	invalidate_all(current);
	current->changed_more |= current->options->definitions;
}

static void
on_enum_change(Datum arg, int cache_id, uint32 hash)
{
	(void) arg;
	(void) cache_id;
	(void) hash;
	if (current)
		current->types_changed |= current->options->definitions;
}

/* Each CREATE TABLE invalidates types, too; only those that a description names matter. */
static void
on_type_change(Datum arg, int cache_id, uint32 hash)
{
	(void) arg;
	(void) cache_id;
	if (current && (hash == 0 || hash_search(current->types, &hash, HASH_FIND, NULL)))
		invalidate_all(current);
}

static void
register_callbacks(void)
{
	static bool registered = false;

	if (registered)
		return;
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_schema_change, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, on_type_change, (Datum) 0);
	CacheRegisterSyscacheCallback(ENUMOID, on_enum_change, (Datum) 0);
	registered = true;
}

/* A memory context's callback. */
static void
forget(void *arg)
{
	if (current == arg)
		current = NULL;
}

/* ---- the cache */

static HTAB *
create_table(const char *name, Size key_bytes, Size entry_bytes, MemoryContext context)
{
	HASHCTL control = {.keysize = key_bytes, .entrysize = entry_bytes, .hcxt = context};

	return hash_create(name, 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
relation_cache_init(struct relation_cache *cache, const struct options *options, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof *callback);

	*cache = (struct relation_cache){.options = options, .context = context, .generation = 1};
	cache->entries = create_table("sluice relations", sizeof(Oid), sizeof(struct relation_entry), context);
	cache->types = create_table("sluice types", sizeof(uint32), sizeof(uint32), context);
	callback->func = forget;
	callback->arg = cache;
	MemoryContextRegisterResetCallback(context, callback);
	register_callbacks();
	current = cache;
}

static struct relation_entry *
get_entry(struct relation_cache *cache, Oid relid)
{
	struct relation_entry *entry = hash_search(cache->entries, &relid, HASH_FIND, NULL);
	bool partitioned;

	if (entry)
		return entry;
	partitioned = get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE;
	entry = hash_search(cache->entries, &relid, HASH_ENTER, NULL);
	*entry = (struct relation_entry){.relid = relid, .partitioned = partitioned};
	return entry;
}

/* ---- selection */

/* Neither a catalog, nor of the information schema, nor a view, sequence or the like. */
static bool
is_user_table(Relation relation)
{
	char kind = relation->rd_rel->relkind;

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
		   RelationGetRelid(relation) >= FirstNormalObjectId;
}

static bool
is_selected(const struct relation_cache *cache, Oid relid, bool partition)
{
	char *schema = get_namespace_name(get_rel_namespace(relid));
	char *name = get_rel_name(relid);

	if (!schema || !name)
		elog(ERROR, "cache lookup failed for relation %u", relid);
	schema = encoding_to_utf8(schema);
	name = encoding_to_utf8(name);
	return partition ? options_select_partition(cache->options, schema, name)
					 : options_select(cache->options, schema, name);
}

/* The topmost selected table of which the relation is a part, or InvalidOid. */
static Oid
find_target(struct relation_cache *cache, Relation relation)
{
	Oid relid = RelationGetRelid(relation);
	List *ancestors;
	Oid target = InvalidOid;

	if (!is_user_table(relation))
		return InvalidOid;
	if (!relation->rd_rel->relispartition)
		return is_selected(cache, relid, false) ? relid : InvalidOid;
	ancestors = get_partition_ancestors(relid); /* the root is the last */
	for (int i = list_length(ancestors) - 1; i >= 0; i--) {
		Oid ancestor = list_nth_oid(ancestors, i);
		bool partition = i < list_length(ancestors) - 1;

		/* The ancestor gets an entry, so that its invalidation is noticed. */
		(void) get_entry(cache, ancestor);
		if (!OidIsValid(target) && is_selected(cache, ancestor, partition))
			target = ancestor;
	}
	if (!OidIsValid(target) && is_selected(cache, relid, list_length(ancestors) > 0))
		target = relid;
	return target;
}

/* ---- descriptions */

static int
compare_oids(const void *a, const void *b)
{
	Oid x = *(const Oid *) a, y = *(const Oid *) b;

	return (x > y) - (x < y);
}

unsigned
relation_cache_sort_changed(struct relation_cache *cache)
{
	unsigned kept = 0;

	qsort(cache->changed, cache->changed_count, sizeof *cache->changed, compare_oids);
	for (unsigned i = 0; i < cache->changed_count; i++)
		if (kept == 0 || cache->changed[kept - 1] != cache->changed[i])
			cache->changed[kept++] = cache->changed[i];
	cache->changed_count = kept;
	return kept;
}

bool
relation_cache_knows(struct relation_cache *cache, Oid relid)
{
	const struct relation_entry *entry = hash_search(cache->entries, &relid, HASH_FIND, NULL);

	return entry && (entry->description || entry->descriptions);
}

/* Lists the leaves below a partitioned table, once in a generation. */
static void
refresh_leaves(struct relation_cache *cache, struct relation_entry *root)
{
	uint64_t generation = cache->generation;
	List *all;
	ListCell *cell;

	if (root->leaves && root->leaves_generation == generation)
		return;
	all = find_all_inheritors(root->relid, NoLock, NULL);
	if (root->leaves)
		pfree(root->leaves);
	root->leaves = NULL;
	root->leaves = MemoryContextAlloc(cache->context, list_length(all) * sizeof *root->leaves);
	root->leaves_generation = 0;
	root->leaf_count = 0;
	foreach (cell, all) {
		CHECK_FOR_INTERRUPTS();
		/* Partitioned tables in between get an entry, so that their invalidation is noticed. */
		if (!get_entry(cache, lfirst_oid(cell))->partitioned)
			root->leaves[root->leaf_count++] = lfirst_oid(cell);
	}
	qsort(root->leaves, root->leaf_count, sizeof *root->leaves, compare_oids);
	root->leaves_generation = generation;
}

static void
attach_leaves(struct relation_cache *cache, struct relation_entry *target, struct description *description)
{
	struct change_relation *relation = &description->relation;
	Size bytes;

	if (!target->partitioned)
		return;
	refresh_leaves(cache, target);
	bytes = target->leaf_count * sizeof *relation->leaves;
	relation->leaf_count = target->leaf_count;
	relation->leaves = MemoryContextAlloc(description->context, Max(bytes, 1));
	memcpy(relation->leaves, target->leaves, bytes);
}

static bool
wants_text(const struct relation_cache *cache, Relation target)
{
	char *schema = encoding_to_utf8(get_namespace_name(RelationGetNamespace(target)));
	char *name = encoding_to_utf8(RelationGetRelationName(target));

	return pattern_list_matches(&cache->options->text_tables, schema, name) || describe_needs_text(target);
}

/* A description of the root that was made for one of its leaves and is still valid. */
static struct description *
find_current(const struct relation_cache *cache, const struct relation_entry *target)
{
	struct description *known = target->descriptions;

	while (known && known->generation != cache->generation)
		known = known->next;
	return known;
}

static struct description *
describe(struct relation_cache *cache, struct relation_entry *entry, Relation target, Relation changed)
{
	MemoryContext context =
		AllocSetContextCreate(CurrentMemoryContext, "sluice description", ALLOCSET_SMALL_SIZES);
	struct description *description = MemoryContextAllocZero(context, sizeof *description);

	description->context = context;
	describe_relation(&description->relation, target, changed, wants_text(cache, target), context);
	attach_leaves(cache, entry, description);
	return description;
}

static void
note_types(struct relation_cache *cache, const struct change_relation *relation)
{
	for (unsigned i = 0; i < relation->column_count; i++) {
		Oid type = relation->columns[i].type;

		if (type >= FirstNormalObjectId) {
			uint32 hash = GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type));

			(void) hash_search(cache->types, &hash, HASH_ENTER, NULL);
		}
	}
}

/* Returns an equal description that exists already, otherwise keeps the new one. */
static struct description *
adopt(struct relation_cache *cache, struct relation_entry *target, struct description *fresh)
{
	struct description *known;

	for (known = target->descriptions; known; known = known->next)
		if (describe_equal(&known->relation, &fresh->relation))
			break;
	if (known) {
		MemoryContextDelete(fresh->context);
	} else {
		note_types(cache, &fresh->relation);
		MemoryContextSetParent(fresh->context, cache->context);
		known = fresh;
		known->owner = target;
		known->next = target->descriptions;
		target->descriptions = known;
	}
	known->generation = cache->generation;
	return known;
}

static void
release(struct description *description)
{
	struct description **at;

	if (!description || --description->users > 0)
		return;
	at = &description->owner->descriptions;
	while (*at != description)
		at = &(*at)->next;
	*at = description->next;
	MemoryContextDelete(description->context);
}

/* ---- entries */

static char *
qualified_name(Relation relation, MemoryContext context)
{
	char *schema = get_namespace_name(RelationGetNamespace(relation));
	const char *name = quote_qualified_identifier(schema, RelationGetRelationName(relation));

	return MemoryContextStrdup(context, encoding_to_utf8(name));
}

static struct filter *
find_filter(const struct relation_cache *cache, const struct relation_entry *fresh, TupleDesc changed)
{
	const struct change_relation *described = &fresh->description->relation;
	const char *condition = options_filter(cache->options, described->schema, described->name);

	/* A partitioned table itself has no rows. */
	if (!condition || fresh->partitioned)
		return NULL;
	return filter_create(condition, described, fresh->columns, changed, fresh->context);
}

/* Finds out how the changes of a selected relation are sent. */
static void
attach(struct relation_cache *cache, struct relation_entry *fresh, Relation target, Relation relation)
{
	struct relation_entry *target_entry = get_entry(cache, RelationGetRelid(target));
	struct description *known = fresh->partitioned ? find_current(cache, target_entry) : NULL;

	if (!known)
		known = adopt(cache, target_entry, describe(cache, target_entry, target, relation));
	fresh->description = known;
	fresh->context = AllocSetContextCreate(CurrentMemoryContext, "sluice relation", ALLOCSET_SMALL_SIZES);
	fresh->columns = describe_sources(&known->relation, target, relation, fresh->context);
	fresh->filter = find_filter(cache, fresh, RelationGetDescr(relation));
	if (target != relation)
		fresh->leaf_name = qualified_name(relation, fresh->context);
}

/* Replaces the contents of the entry by those of `fresh`; nothing here can fail. */
static void
take_over(struct relation_cache *cache, struct relation_entry *entry, const struct relation_entry *fresh)
{
	struct description *old_description = entry->description;
	MemoryContext old_context = entry->context;

	entry->target = fresh->target;
	entry->description = fresh->description;
	entry->columns = fresh->columns;
	entry->filter = fresh->filter;
	entry->leaf_name = fresh->leaf_name;
	entry->context = fresh->context;
	entry->missed = fresh->missed;
	entry->missed_by = InvalidTransactionId;
	if (entry->description)
		entry->description->users++;
	if (entry->context)
		MemoryContextSetParent(entry->context, cache->context);
	release(old_description);
	if (old_context)
		MemoryContextDelete(old_context);
}

/* Whether a table that the relation is a part of is not selected, while the relation, or a part between them, is. */
static bool
is_below_unselected(Relation relation, Oid target)
{
	List *ancestors =
		relation->rd_rel->relispartition ? get_partition_ancestors(RelationGetRelid(relation)) : NIL;

	/* A partition that is being detached has none. */
	return ancestors != NIL && llast_oid(ancestors) != target;
}

/*
 * Reading the catalogs may raise an error after which decoding continues: a
 * transaction in progress turned out to be rolled back.  So the entry keeps its contents until the new ones are
 * complete, and is marked as current last; what was allocated before an error is freed with the caller's
 * memory context.
 */
static void
build(struct relation_cache *cache, struct relation_entry *entry, Relation relation)
{
	struct relation_entry fresh = {.partitioned = entry->partitioned};
	uint64_t generation = cache->generation;

	/* Set first, so that an invalidation during the build is not lost. */
	entry->generation = 0;
	entry->valid = true;
	fresh.target = find_target(cache, relation);
	if (fresh.target == RelationGetRelid(relation)) {
		attach(cache, &fresh, relation, relation);
	} else if (OidIsValid(fresh.target)) {
		Relation target = RelationIdGetRelation(fresh.target);

		if (!RelationIsValid(target))
			elog(ERROR, "could not open relation with OID %u", fresh.target);
		attach(cache, &fresh, target, relation);
		RelationClose(target);
	}
	fresh.missed = cache->options->definitions && is_user_table(relation) &&
				   (!fresh.description || is_below_unselected(relation, fresh.target));
	take_over(cache, entry, &fresh);
	entry->generation = generation;
}

/* ---- dropped tables */

#define OUTDATED_MAX 1000

static void
discard(struct relation_cache *cache, struct relation_entry *entry)
{
	release(entry->description);
	entry->description = NULL;
	entry->filter = NULL;
	entry->target = InvalidOid;
	if (entry->context)
		MemoryContextDelete(entry->context);
	entry->context = NULL;
	entry->valid = false;
	if (entry->descriptions)
		return; /* kept until the entries of its leaves are discarded, too */
	if (entry->leaves)
		pfree(entry->leaves);
	(void) hash_search(cache->entries, &entry->relid, HASH_REMOVE, NULL);
}

/* Discards entries of dropped tables, so that the cache does not grow with every table that ever existed. */
static void
clear_out(struct relation_cache *cache)
{
	HASH_SEQ_STATUS scan;
	struct relation_entry *entry;

	cache->outdated = 0;
	cache->latest = NULL;
	hash_seq_init(&scan, cache->entries);
	while ((entry = hash_seq_search(&scan))) {
		CHECK_FOR_INTERRUPTS();
		if (!entry->valid && !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry->relid)))
			discard(cache, entry);
	}
}

struct relation_entry *
relation_cache_look_up(struct relation_cache *cache, Relation relation)
{
	struct relation_entry *entry;

	if (cache->outdated > OUTDATED_MAX)
		clear_out(cache);
	entry = get_entry(cache, RelationGetRelid(relation));
	if (!relation_entry_is_current(cache, entry))
		build(cache, entry, relation);
	cache->latest = entry;
	return entry;
}
