#include "net_change.h"

#include <stdlib.h>

#include "base/memory.h"

#define KEY_LIMIT ((size_t) 1 << 30)

void
net_change_init(struct net_change *net, const struct shape *shape, struct arena *arena)
{
	unsigned columns = shape->relation->column_count;

	*net = (struct net_change){.shape = shape, .arena = arena};
	keymap_init(&net->map);
	net->values = memory_alloc_zero(2 * (size_t) columns, sizeof *net->values);
	net->newer = net->values + columns;
	memory_buffer_init_limited(&net->scratch, KEY_LIMIT);
}

void
net_change_fini(struct net_change *net)
{
	keymap_fini(&net->map);
	free(net->rows);
	free(net->values);
	buffer_fini(&net->scratch);
}

size_t
net_change_bytes(const struct net_change *net)
{
	return keymap_bytes(&net->map) + net->row_capacity * sizeof *net->rows + net->scratch.cap;
}

static bool
change_error(const struct net_change *net, struct error *err, const char *what, const char *remedy)
{
	const struct change_relation *relation = net->shape->relation;

	error_set(err, ERROR_DATA, "%s.%s: %s", relation->schema, relation->name, what);
	return error_hint(err, "%s", remedy);
}

/* ---- keys */

/* Writes the key as COPY BINARY fields into net->scratch. */
static bool
make_key(struct net_change *net, const struct value *values, struct error *err)
{
	const struct shape *shape = net->shape;

	buffer_reset(&net->scratch);
	for (unsigned i = 0; i < shape->key_count; i++) {
		const struct value *value = &values[shape->fed[shape->key[i]].source];

		if (value->kind != VALUE_PRESENT)
			return change_error(net, err,
								value->kind == VALUE_NULL ? "a key column is NULL"
														  : "a change came without the key's value",
								"Give the table a key of NOT NULL columns.");
		buffer_put_u32(&net->scratch, value->len);
		buffer_put(&net->scratch, value->data, value->len);
	}
	return !net->scratch.failed ||
		   change_error(net, err, "a key is too large", "Choose a smaller key for the table.");
}

static void
grow_rows(struct net_change *net)
{
	uint32_t capacity = net->row_capacity ? net->row_capacity * 2 : 64;

	net->rows = memory_resize(net->rows, capacity, sizeof *net->rows);
	net->row_capacity = capacity;
}

/* The entry of a key; a new one starts as `fresh`. */
static uint32_t
entry_of(struct net_change *net, const void *key, size_t len, const struct net_row *fresh, bool *found)
{
	uint32_t index = keymap_insert(&net->map, net->arena, key, (uint32_t) len, found);

	if (*found)
		return index;
	if (index >= net->row_capacity)
		grow_rows(net);
	net->rows[index] = *fresh;
	return index;
}

/* Whether the target has a row under a key. */
enum target_row { TARGET_LACKS, TARGET_HOLDS, TARGET_MAY_HOLD };

/* Finds or creates the entry of a row's key; `existed`: whether the target has such a row, if the batch has not
 * mentioned the key before. */
static bool
entry_of_values(struct net_change *net, const struct value *values, enum target_row existed, uint32_t *index,
				struct error *err)
{
	struct net_row fresh = {
		.existed = existed != TARGET_LACKS, .perhaps = existed == TARGET_MAY_HOLD, .origin = ORIGIN_NONE};
	bool found;

	if (!make_key(net, values, err))
		return false;
	*index = entry_of(net, net->scratch.data, net->scratch.len, &fresh, &found);
	if (!found && fresh.existed)
		net->rows[*index].origin = *index;
	return true;
}

/* ---- rows */

static bool
has_unchanged(const struct bytes *raw)
{
	return raw->len > 0 && (raw->data[0] & ROW_UNCHANGED);
}

/* Columns that the target computes itself are not among the fed ones. */
static bool
lacks_values(const struct shape *shape, const struct value *values)
{
	for (unsigned i = 0; i < shape->fed_count; i++)
		if (values[shape->fed[i].source].kind == VALUE_UNCHANGED)
			return true;
	return false;
}

/* change.h describes the layout of a row's head. */
const uint8_t *
net_change_unchanged(const struct net_change *net, const struct net_row *row)
{
	size_t bitmap_bytes = (net->shape->relation->column_count + 7) / 8;
	uint8_t flags = row->row.data[0];

	if (!(flags & ROW_UNCHANGED))
		return NULL;
	return row->row.data + 1 + (flags & ROW_NULLS ? bitmap_bytes : 0);
}

/* Overwrites the row's earlier state if that is large enough, so that a row that is updated again and again does not
 * fill the arena. */
static struct bytes
keep_row(struct net_change *net, struct bytes place, struct bytes raw)
{
	if (!place.data || place.len < raw.len)
		return (struct bytes){arena_copy(net->arena, raw.data, raw.len), raw.len};
	memcpy((uint8_t *) place.data, raw.data, raw.len);
	return (struct bytes){place.data, raw.len};
}

static void
put_values(struct buffer *out, const struct change_relation *relation, const struct value *values)
{
	bool nulls[CHANGE_MAX_COLUMNS];
	bool unchanged[CHANGE_MAX_COLUMNS];

	for (unsigned i = 0; i < relation->column_count; i++) {
		nulls[i] = values[i].kind == VALUE_NULL;
		unchanged[i] = values[i].kind == VALUE_UNCHANGED;
	}
	change_put_row_head(out, relation->column_count, nulls, unchanged);
	for (unsigned i = 0; i < relation->column_count; i++) {
		if (values[i].kind != VALUE_PRESENT)
			continue;
		if (!relation->columns[i].width)
			buffer_put_varint(out, values[i].len);
		buffer_put(out, values[i].data, values[i].len);
	}
}

/* The new row, with its unchanged columns taken from its earlier state in the batch. */
static struct bytes
merge_rows(struct net_change *net, struct bytes earlier, const struct value *newer)
{
	const struct change_relation *relation = net->shape->relation;
	struct reader r;

	reader_init(&r, earlier.data, earlier.len);
	/* The row was decoded once before, so it is well-formed. */
	if (!change_decode_row(relation, false, &r, net->values))
		abort();
	for (unsigned i = 0; i < relation->column_count; i++)
		if (newer[i].kind != VALUE_UNCHANGED)
			net->values[i] = newer[i];
	buffer_reset(&net->scratch);
	put_values(&net->scratch, relation, net->values);
	return keep_row(net, earlier, (struct bytes){net->scratch.data, net->scratch.len});
}

static void
set_row(struct net_change *net, uint32_t index, const struct change_row *row, struct bytes earlier)
{
	struct net_row *entry = &net->rows[index];

	entry->count = net->changes;
	if (has_unchanged(&row->raw) && earlier.data) {
		entry->row = merge_rows(net, earlier, row->values);
		entry->partial = lacks_values(net->shape, net->values);
	} else {
		entry->row = keep_row(net, earlier, row->raw);
		entry->partial = has_unchanged(&row->raw) && lacks_values(net->shape, row->values);
	}
}

static void
clear_row(struct net_row *entry)
{
	entry->row = (struct bytes){0};
	entry->partial = false;
}

/* ---- tables with a key */

/* If an operation is not replicated, the target may have a row under a key that is new to the source. Where several
 * tables feed the target, such a row may belong to another: that is an error, and it is not replaced. */
static bool
may_be_stale(const struct net_change *net)
{
	return !shape_follows_all(net->shape) && !net->shape->table->shared_with;
}

static enum target_row
before_new_key(const struct net_change *net)
{
	return may_be_stale(net) ? TARGET_MAY_HOLD : TARGET_LACKS;
}

/* False if a row has the same key and was not deleted before: the source checks the key only at the end of the
 * transaction, or not at all, so it cannot be a match key. */
static bool
is_free(const struct net_change *net, uint32_t index, struct error *err)
{
	if (!net->rows[index].row.data || may_be_stale(net))
		return true;
	return change_error(net, err, "two rows have the same key",
						"Choose a key for the table that is unique at every moment.");
}

/* The row newly matches the filter; its unchanged TOAST values are available nowhere. */
static bool
has_values(const struct net_change *net, uint32_t index, struct error *err)
{
	if (!net->rows[index].partial || net->rows[index].origin != ORIGIN_NONE)
		return true;
	return change_error(
		net, err,
		"a row came to match the table's condition, and the log lacks its large values that"
		" did not change",
		"Run ALTER TABLE … REPLICA IDENTITY FULL for it on the source, and copy the table again.");
}

static bool
add_insert(struct net_change *net, const struct change *change, struct error *err)
{
	uint32_t index;

	if (!entry_of_values(net, change->new.values, before_new_key(net), &index, err) ||
		!is_free(net, index, err))
		return false;
	set_row(net, index, &change->new, (struct bytes){0});
	net->rows[index].origin = ORIGIN_NONE;
	return has_values(net, index, err);
}

static bool
same_key(const struct shape *shape, const struct value *a, const struct value *b)
{
	for (unsigned i = 0; i < shape->key_count; i++) {
		const struct value *va = &a[shape->fed[shape->key[i]].source];
		const struct value *vb = &b[shape->fed[shape->key[i]].source];

		if (va->kind != vb->kind || va->len != vb->len ||
			(va->len && memcmp(va->data, vb->data, va->len) != 0))
			return false;
	}
	return true;
}

static bool
add_key_change(struct net_change *net, const struct change *change, struct error *err)
{
	uint32_t from, to;
	struct bytes earlier;
	uint32_t origin;

	if (!entry_of_values(net, change->old.values, TARGET_HOLDS, &from, err))
		return false;
	earlier = net->rows[from].row;
	origin = net->rows[from].origin;
	clear_row(&net->rows[from]);
	net->rows[from].origin = ORIGIN_NONE;
	if (!entry_of_values(net, change->new.values, before_new_key(net), &to, err) || !is_free(net, to, err))
		return false;
	set_row(net, to, &change->new, earlier);
	net->rows[to].origin = origin;
	return has_values(net, to, err);
}

/* Values of this size may be stored out of line; writing one again costs more than finding it equal. */
#define KEPT_BYTES 512

static bool
is_kept(const struct shape *shape, const struct change *change, unsigned fed)
{
	const struct value *old = &change->old.values[shape->fed[fed].source];
	const struct value *new = &change->new.values[shape->fed[fed].source];

	return new->kind == VALUE_PRESENT &&new->len >= KEPT_BYTES && old->kind == VALUE_PRESENT &&
		   old->len == new->len && !shape_is_key(shape, fed) && memcmp(old->data, new->data, new->len) == 0;
}

/* With the whole old row the plugin can send large values that did not change. An UPDATE that sets such a column
 * would store its value again, so for rows that are updated in place it is left out, as with other replica identities. */
static void
leave_out_kept(struct net_change *net, const struct change *change, struct change_row *row)
{
	const struct shape *shape = net->shape;
	bool any = false;

	if (change->old_kind != CHANGE_OLD_FULL || !shape->in_place || shape->rows_may_be_absent)
		return;
	for (unsigned i = 0; i < shape->fed_count; i++) {
		if (!is_kept(shape, change, i))
			continue;
		if (!any)
			memcpy(net->newer, change->new.values, shape->relation->column_count * sizeof *net->newer);
		any = true;
		net->newer[shape->fed[i].source].kind = VALUE_UNCHANGED;
	}
	if (!any)
		return;
	buffer_reset(&net->scratch);
	put_values(&net->scratch, shape->relation, net->newer);
	row->raw = (struct bytes){net->scratch.data, net->scratch.len};
	row->values = net->newer;
}

static bool
add_update(struct net_change *net, const struct change *change, struct error *err)
{
	struct change_row row = change->new;
	uint32_t index;

	if (change->old_kind != CHANGE_OLD_SAME && !same_key(net->shape, change->old.values, change->new.values))
		return add_key_change(net, change, err);
	if (!entry_of_values(net, change->new.values, TARGET_HOLDS, &index, err))
		return false;
	leave_out_kept(net, change, &row);
	set_row(net, index, &row, net->rows[index].row);
	return has_values(net, index, err);
}

static bool
add_delete(struct net_change *net, const struct change *change, struct error *err)
{
	uint32_t index;

	if (!entry_of_values(net, change->old.values, TARGET_HOLDS, &index, err))
		return false;
	clear_row(&net->rows[index]);
	net->rows[index].origin = ORIGIN_NONE;
	return true;
}

/* ---- tables without a key */

/* Sets columns that the target does not have to NULL, so that rows which differ only there are equal. */
static struct bytes
without_left_out(struct net_change *net, const struct change_row *row)
{
	const struct shape *shape = net->shape;
	unsigned fed = 0;

	if (!shape->subset)
		return row->raw;
	for (unsigned i = 0; i < shape->relation->column_count; i++) {
		bool travels = fed < shape->fed_count && shape->fed[fed].source == i;

		net->values[i] = travels ? row->values[i] : (struct value){.kind = VALUE_NULL};
		fed += travels;
	}
	buffer_reset(&net->scratch);
	put_values(&net->scratch, shape->relation, net->values);
	return (struct bytes){net->scratch.data, net->scratch.len};
}

static bool
count_row(struct net_change *net, const struct change_row *row, int delta, struct error *err)
{
	static const struct net_row fresh = {.origin = ORIGIN_NONE};
	struct bytes image = without_left_out(net, row);
	uint32_t index;
	bool found;

	if (has_unchanged(&image))
		return change_error(net, err, "a change came without the whole row",
							"Run ALTER TABLE … REPLICA IDENTITY FULL for it on the source.");
	index = entry_of(net, image.data, image.len, &fresh, &found);
	if (!found) {
		const struct keymap_key *key = keymap_key(&net->map, index);

		net->rows[index].row = (struct bytes){key->ptr, key->len};
	}
	net->rows[index].count += delta;
	return true;
}

static bool
add_to_counts(struct net_change *net, const struct change *change, struct error *err)
{
	if (change->kind != CHANGE_INSERT && !count_row(net, &change->old, -1, err))
		return false;
	return change->kind == CHANGE_DELETE || count_row(net, &change->new, 1, err);
}

/* ---- changes */

static bool
lacks_identity(const struct net_change *net, const struct change *change)
{
	if (change->kind == CHANGE_INSERT)
		return false;
	if (change->old_kind == CHANGE_OLD_NONE || net->shape->match == MATCH_NOTHING)
		return true;
	return net->shape->match == MATCH_ROW && change->old_kind != CHANGE_OLD_FULL;
}

/* Without a match key each insert is an entry of its own. */
static void
append_row(struct net_change *net, const struct change *change)
{
	uint32_t number = net_change_count(net);
	struct net_row fresh = {.origin = ORIGIN_NONE, .row = keep_row(net, (struct bytes){0}, change->new.raw)};
	bool found;

	entry_of(net, &number, sizeof number, &fresh, &found);
}

bool
net_change_add(struct net_change *net, const struct change *change, struct error *err)
{
	net->changes++;
	if (lacks_identity(net, change))
		return change_error(
			net, err,
			change->kind == CHANGE_UPDATE
				? "an update cannot be followed, since the table has no replica identity"
				: "a delete cannot be followed, since the table has no replica identity",
			"Run ALTER TABLE … REPLICA IDENTITY FULL for it on the source, or give it a primary key, "
			"and copy it again; or leave updates and deletes out of the operations.");
	if (net->shape->match == MATCH_ROW)
		return add_to_counts(net, change, err);
	if (net->shape->match == MATCH_NOTHING) {
		append_row(net, change);
		return true;
	}
	switch (change->kind) {
	case CHANGE_INSERT:
		return add_insert(net, change, err);
	case CHANGE_UPDATE:
		return add_update(net, change, err);
	default:
		return add_delete(net, change, err);
	}
}

void
net_change_truncate(struct net_change *net)
{
	keymap_clear(&net->map);
	net->truncated = true;
}

/* ---- deciding */

static uint8_t
decide_counted(const struct net_row *entry)
{
	if (entry->count > 0)
		return NET_INSERT;
	return entry->count < 0 ? NET_DELETE : NET_NOTHING;
}

/* For a row that the target had before the batch, possibly under another key, and that still exists. */
static uint8_t
decide_kept(const struct net_change *net, const struct net_row *entry, bool moved)
{
	const struct shape *shape = net->shape;
	/* Where inserts are not replicated, a row that the target lacks must not be inserted. */
	bool complete = !entry->partial && shape->unfed_count == 0 && shape_follows_inserts(shape);

	/* Deleting the row would fire triggers or foreign keys. */
	if (shape->triggers || (!moved && shape->in_place))
		return NET_PATCH;
	if (complete)
		return NET_INSERT;
	return moved || shape->guarded_count > 0 ? NET_FILL : NET_PATCH;
}

static uint8_t
decide_keyed(const struct net_change *net, uint32_t index)
{
	const struct net_row *entry = &net->rows[index];

	if (!entry->row.data)
		return NET_NOTHING;
	if (entry->origin != ORIGIN_NONE)
		return decide_kept(net, entry, entry->origin != index);
	return shape_follows_inserts(net->shape) ? NET_INSERT : NET_NOTHING;
}

/* A row that is updated in place is not deleted under its earlier key. */
static void
mark_deletes(const struct net_change *net, uint8_t *actions)
{
	uint32_t count = net_change_count(net);

	for (uint32_t i = 0; i < count; i++)
		if (net->rows[i].existed)
			actions[i] |= NET_DELETE;
	for (uint32_t i = 0; i < count; i++)
		if (actions[i] & NET_PATCH)
			actions[net->rows[i].origin] &= (uint8_t) ~NET_DELETE;
}

void
net_change_decide(const struct net_change *net, uint8_t *actions)
{
	uint32_t count = net_change_count(net);
	bool keyed = net->shape->match == MATCH_KEY;

	for (uint32_t i = 0; i < count; i++) {
		if (keyed)
			actions[i] = decide_keyed(net, i);
		else if (net->shape->match == MATCH_ROW)
			actions[i] = decide_counted(&net->rows[i]);
		else
			actions[i] = NET_INSERT;
	}
	if (keyed)
		mark_deletes(net, actions);
}
