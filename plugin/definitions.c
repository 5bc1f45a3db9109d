#include "postgres.h"

#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "common/change.h"

#include "compat.h"
#include "definitions.h"

/* The entries of the definitions message being built. */
struct notes {
	struct change_definition *items;
	unsigned count;
	unsigned capacity;
};

static struct notes
make_notes(unsigned capacity)
{
	capacity = Max(capacity, 1);
	return (struct notes){.items = palloc(capacity * sizeof(struct change_definition)), .capacity = capacity};
}

static void
note(struct notes *notes, Oid relid, enum definition_kind kind, uint32_t number)
{
	if (notes->count == notes->capacity) {
		notes->capacity *= 2;
		notes->items = repalloc(notes->items, notes->capacity * sizeof *notes->items);
	}
	notes->items[notes->count++] = (struct change_definition){.oid = relid, .kind = kind, .relation = number};
}

/*
 * Adds what is not selected under its present name of the relation and the partitioned tables above it: those above the
 * target, or all.  The client may follow them under other names.
 */
static void
note_unselected(struct notes *notes, Relation relation, Oid target, enum definition_kind kind)
{
	List *ancestors =
		relation->rd_rel->relispartition ? get_partition_ancestors(RelationGetRelid(relation)) : NIL;
	bool above = !OidIsValid(target) || target == RelationGetRelid(relation);
	ListCell *cell;

	if (!OidIsValid(target))
		note(notes, RelationGetRelid(relation), kind, 0);
	foreach (cell, ancestors) {
		if (above)
			note(notes, lfirst_oid(cell), kind, 0);
		above |= lfirst_oid(cell) == target;
	}
}

/* Adds the relation as it is at the end of the transaction. */
static void
note_relation(struct plugin *plugin, ReorderBufferTXN *txn, struct notes *notes, Relation relation)
{
	char persistence = relation->rd_rel->relpersistence;
	const struct relation_entry *entry;
	struct description *description;

	if (relation->rd_rel->relkind == RELKIND_COMPOSITE_TYPE)
		plugin->cache.types_changed = true;
	if (persistence == RELPERSISTENCE_TEMP)
		return;
	entry = relation_cache_find(&plugin->cache, relation);
	description = entry->description;
	if (persistence == RELPERSISTENCE_UNLOGGED && relation->rd_rel->relkind == RELKIND_RELATION)
		note_unselected(notes, relation, entry->target, DEFINITION_UNLOGGED);
	if (!description)
		return;
	if (persistence == RELPERSISTENCE_UNLOGGED) {
		note(notes, description->relation.oid, DEFINITION_UNLOGGED, 0);
		return;
	}
	plugin_put_description(plugin, plugin_begin_change(plugin, txn, txn->xid), description);
	note(notes, RelationGetRelid(relation), DEFINITION_DESCRIBED, description->relation.number);
}

/* An index of a partitioned table becomes valid when the last part is attached, which changes the index alone. */
static Oid
announced_relation(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_PARTITIONED_INDEX ? relation->rd_index->indrelid
																  : RelationGetRelid(relation);
}

static void
note_definition(struct plugin *plugin, ReorderBufferTXN *txn, struct notes *notes, Oid relid)
{
	Relation relation = RelationIdGetRelation(relid);

	if (RelationIsValid(relation) && announced_relation(relation) != relid) {
		Relation table = RelationIdGetRelation(announced_relation(relation));

		RelationClose(relation);
		relation = table;
	}
	if (RelationIsValid(relation)) {
		note_relation(plugin, txn, notes, relation);
		RelationClose(relation);
	} else if (relation_cache_knows(&plugin->cache, relid)) {
		note(notes, relid, DEFINITION_DROPPED, 0);
	}
}

static void
put_notes(struct plugin *plugin, ReorderBufferTXN *txn, TransactionId owner, uint8_t flags,
		  const struct notes *notes)
{
	struct buffer *b = plugin_begin_change(plugin, txn, owner);

	change_put_definitions(b, flags, notes->count);
	for (unsigned i = 0; i < notes->count; i++)
		change_put_definition(b, &notes->items[i]);
	writer_end(&plugin->writer, NULL, NULL);
}

static void
put_all_notes(struct plugin *plugin, ReorderBufferTXN *txn, const struct notes *notes)
{
	uint8_t flags = (plugin->cache.types_changed ? DEFINITIONS_TYPES : 0) |
					(plugin->cache.changed_more ? DEFINITIONS_MORE : 0);

	if (flags || notes->count > 0)
		put_notes(plugin, txn, txn->xid, flags, notes);
}

/* Sends the relations that the transaction has invalidated, even if none of their rows changed. */
static void
send_definitions(struct plugin *plugin, ReorderBufferTXN *txn)
{
	unsigned count = relation_cache_sort_changed(&plugin->cache);
	Oid *relids = palloc(Max(count, 1) * sizeof *relids);
	struct notes notes = make_notes(count);

	memcpy(relids, plugin->cache.changed, count * sizeof *relids);
	for (unsigned i = 0; i < count; i++) {
		CHECK_FOR_INTERRUPTS();
		note_definition(plugin, txn, &notes, relids[i]);
	}
	put_all_notes(plugin, txn, &notes);
}

void
definitions_put(struct plugin *plugin, ReorderBufferTXN *txn)
{
	MemoryContext before;

	if (!relation_cache_has_changed(&plugin->cache) || !compat_changed_catalogs(txn))
		return;
	before = MemoryContextSwitchTo(plugin->change_context);
	send_definitions(plugin, txn);
	MemoryContextSwitchTo(before);
	MemoryContextReset(plugin->change_context);
}

/*
 * At the end of a block the catalogs cannot be read safely, since the transaction may have been rolled back.  So the
 * message lists the OIDs alone, whether the relations are selected or not; one of them may be a composite type.
 */
void
definitions_put_block(struct plugin *plugin, ReorderBufferTXN *txn)
{
	unsigned count = relation_cache_sort_changed(&plugin->cache);
	MemoryContext before;
	struct notes notes;

	if (!relation_cache_has_changed(&plugin->cache) || !compat_changed_catalogs(txn))
		return;
	before = MemoryContextSwitchTo(plugin->change_context);
	notes = make_notes(count);
	for (unsigned i = 0; i < count; i++)
		note(&notes, plugin->cache.changed[i], DEFINITION_UNKNOWN, 0);
	plugin->cache.types_changed |= count > 0;
	put_all_notes(plugin, txn, &notes);
	MemoryContextSwitchTo(before);
	MemoryContextReset(plugin->change_context);
}

/*
 * The client may follow the relation under another name: it was renamed or moved for a while, and may have its old name
 * again before the client reads the catalogs.  The same goes for the partitioned tables above it, also where it is selected
 * itself.  The first change after each invalidation says so; in a transaction in progress, which may be rolled back, the first
 * of each subtransaction.
 */
void
definitions_put_missed(struct plugin *plugin, ReorderBufferTXN *txn, Relation relation,
					   struct relation_entry *entry, TransactionId xid)
{
	struct notes notes;

	if (!entry->missed || (plugin->in_block && entry->missed_by == xid))
		return;
	notes = make_notes(1);
	note_unselected(&notes, relation, entry->target, DEFINITION_MISSED);
	put_notes(plugin, txn, xid, 0, &notes);
	entry->missed_by = xid;
	entry->missed = plugin->in_block;
}

/*
 * A filter goes by the name that a table has at the time.  Where it withholds a row, the client has to see that name: the
 * table may have taken it for a while, and be one whose rows are all wanted.
 */
void
definitions_put_filtered(struct plugin *plugin, ReorderBufferTXN *txn, struct description *description,
						 TransactionId xid)
{
	struct notes notes;

	if (!plugin->options.definitions || description->announced ||
		(plugin->in_block && description->announced_by == xid))
		return;
	notes = make_notes(1);
	plugin_put_description(plugin, plugin_begin_change(plugin, txn, xid), description);
	note(&notes, description->relation.oid, DEFINITION_DESCRIBED, description->relation.number);
	put_notes(plugin, txn, xid, 0, &notes);
	description->announced_by = xid;
	description->announced = !plugin->in_block;
}

/*
 * Called for the first row of a transient table, in which ALTER TABLE rewrites another one.  Values that a rewrite
 * computes, or reads from an unlogged table, are not in the stream, so the client must know of the rewrite.  (VACUUM FULL
 * and CLUSTER do not log rows for decoding.)
 */
void
definitions_put_rewritten(struct plugin *plugin, ReorderBufferTXN *txn, Relation transient,
						  const ReorderBufferChange *change)
{
	Relation relation = RelationIdGetRelation(transient->rd_rel->relrewrite);
	struct relation_entry *entry;

	plugin->rewritten = RelationGetRelid(transient);
	if (!RelationIsValid(relation))
		return;
	entry = relation_cache_find(&plugin->cache, relation);
	definitions_put_missed(plugin, txn, relation, entry, change->txn->xid);
	if (entry->description && plugin->options.definitions) {
		struct notes notes = make_notes(1);

		note(&notes, entry->description->relation.oid, DEFINITION_REWRITTEN, 0);
		put_notes(plugin, txn, change->txn->xid, 0, &notes);
	}
	RelationClose(relation);
}
