#include "history.h"

#include <stdlib.h>
#include <string.h>

/* ---- random numbers */

/* splitmix64: good enough, and the same everywhere. */
uint64_t
history_draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

unsigned
history_below(uint64_t *state, unsigned limit)
{
	return (unsigned) (history_draw(state) % limit);
}

bool
history_chance(uint64_t *state, unsigned percent)
{
	return history_below(state, 100) < percent;
}

/* ---- what a history is about */

static const char *const column_names[] = {"id",	   "pair \"2\"", "u",	  "big", "Huge, it is",
										   "computed", "select",	 "extra", "more"};

bool
history_fail(struct history *h, const char *what, const char *why)
{
	if (!h->problem[0])
		snprintf(h->problem, sizeof h->problem, "%.900s: %.1000s", what, why);
	return false;
}

/* ---- values */

struct cell
history_cell(struct history *h, const void *data, size_t len)
{
	return (struct cell){arena_copy(&h->arena, data, len), (uint32_t) len};
}

static struct cell
number_cell(struct history *h, const struct world_table *t, uint32_t number)
{
	char digits[16];
	uint32_t be = __builtin_bswap32(number);

	if (!t->text)
		return history_cell(h, &be, sizeof be);
	return history_cell(h, digits, (size_t) snprintf(digits, sizeof digits, "%u", number));
}

static struct cell
text_cell(struct history *h, uint64_t *random)
{
	static const char *const odd[] = {"",	  "\\",	   "\n",	"\t",	 "\\N",	   "\\.",
									  "a,b",  "\"q\"", "{}",	"NULL",	 "a\r\nb", "\\\\n",
									  "{\"a", "é",	   "x\\ty", "plain", "' OR 1"};
	char number[16];
	char large[600];

	/* Long enough that an UPDATE with identity FULL treats an unchanged value as not sent. */
	if (history_chance(random, 10)) {
		memset(large, 'a' + (int) history_below(random, 3), sizeof large);
		return history_cell(h, large, sizeof large);
	}
	if (history_chance(random, 60)) {
		const char *text = odd[history_below(random, sizeof(odd) / sizeof(*odd))];

		return history_cell(h, text, strlen(text));
	}
	return history_cell(h, number,
						(size_t) snprintf(number, sizeof number, "v%u", history_below(random, 1000)));
}

/* ---- targets with several sources */

/* The next of the tables that feed the same target, from *next on. */
static struct world_table *
next_source(struct history *h, const struct world_table *t, unsigned *next)
{
	while (*next < h->table_count) {
		struct world_table *other = &h->tables[(*next)++];

		if (other->target == t->target)
			return other;
	}
	return NULL;
}

/* If an operation is not replicated, the target may have rows that the source lacks; not with shared targets, whose keys never collide. */
static bool
may_be_stale(const struct world_table *t)
{
	return t->operations != OPERATION_ALL && !t->shared;
}

/* ---- building the tables */

bool
history_is_key(const struct world_table *t, unsigned column)
{
	return t->keyed && (column == ID || (t->composite && column == PAIR));
}

static const struct sketch_type number_domain = {.oid = 99901,
												 .width = 4,
												 .schema = "mo\"del",
												 .name = "number",
												 .formatted = "\"mo\"\"del\".number",
												 .base_schema = "pg_catalog",
												 .base_name = "int4"};
/* The domain refuses NULLs, which staging tables contain. */
static const struct sketch_type text_domain = {.oid = 99902,
											   .schema = "mo\"del",
											   .name = "long text",
											   .formatted = "\"mo\"\"del\".\"long text\"",
											   .base_schema = "pg_catalog",
											   .base_name = "text"};

static unsigned
describe_columns(const struct world_table *t, struct sketch_column *columns)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SOURCE_COLUMNS + t->unfed; i++) {
		struct sketch_column *column = &columns[count++];

		*column = (struct sketch_column){.name = column_names[i], .type = &sketch_text};
		if (i == ID || i == UNIQUE)
			column->type = &sketch_int4;
		if (t->domains && i == ID)
			column->type = &number_domain;
		if (t->domains && i == BIG)
			column->type = &text_domain;
		if (history_is_key(t, i))
			column->flags = SKETCH_KEY | SKETCH_DISTRIBUTES;
		if (i == UNIQUE && t->unique)
			column->flags |= SKETCH_GUARDED;
		if (i == COMPUTED && t->computed)
			column->flags = SKETCH_COMPUTED;
		if (i >= UNFED_FIRST)
			column->flags = SKETCH_TARGET_ONLY;
	}
	return count;
}

bool
history_is_at_target(const struct world_table *t, unsigned column)
{
	return column != COMPUTED || !t->computed;
}

static struct minisql_table *
make_table(struct history *h, struct minisql *db, const struct world_table *t, const char *name, bool all)
{
	struct minisql_table *table = minisql_create(db, name);

	for (unsigned i = 0; i < SOURCE_COLUMNS + t->unfed; i++)
		if (all || history_is_at_target(t, i))
			minisql_add_column(db, table, column_names[i],
							   i >= UNFED_FIRST ? history_cell(h, "default", 7) : (struct cell){0});
	if (t->keyed)
		table->unique[table->unique_count++] = 1u << ID | (t->composite ? 1u << PAIR : 0);
	if (t->unique)
		table->unique[table->unique_count++] = 1u << UNIQUE;
	return table;
}

static void
choose_kind(struct world_table *t, uint64_t *random, bool text)
{
	static const char identities[] = "ddddffnd";

	t->identity = identities[history_below(random, sizeof identities - 1)];
	t->keyed = t->identity == 'd' || (t->identity == 'f' && history_chance(random, 50));
	t->inserts_only = t->identity == 'n';
	if (t->identity == 'd' && history_chance(random, 5)) {
		t->keyed = false;
		t->inserts_only = true;
	}
	t->composite = history_chance(random, 40);
	t->triggers = t->keyed && history_chance(random, 15);
	t->unique = t->keyed && !t->triggers && history_chance(random, 40);
	t->computed = history_chance(random, 20);
	t->unfed = t->keyed && history_chance(random, 40) ? 1 + history_below(random, UNFED_MAX) : 0;
	t->domains = history_chance(random, 30);
	t->text = text;
	t->operations = OPERATION_ALL;
	/* Rows that stay behind would be in the way of another unique constraint. */
	t->pruned = t->keyed && history_chance(random, 20);
	if (t->keyed && !t->unique && history_chance(random, 20))
		t->operations = 1 + history_below(random, OPERATION_ALL);
}

/* The kind of the table whose target it feeds, too. */
static void
copy_kind(struct world_table *t, const struct world_table *first)
{
	struct world_table copy = *first;

	copy.number = t->number;
	memcpy(copy.name, t->name, sizeof copy.name);
	copy.shares = first;
	*t = copy;
}

static void
make_targets(struct history *h, struct world_table *t, uint64_t *random)
{
	struct target_table *target = &t->sketch.table.target;
	char full[64];

	snprintf(full, sizeof full, "mo\"del.%s", t->name);
	target->has_triggers = t->triggers;
	target->partitioned = history_chance(random, 10);
	target->storage = (enum target_storage) history_below(random, 3);
	t->reference = make_table(h, &h->source, t, full, false);
	t->target = make_table(h, &h->target, t, full, false);
	if (may_be_stale(t))
		t->reference->unique_count = 0;
}

static void
take_targets(struct world_table *t)
{
	const struct target_table *first = &t->shares->sketch.table.target;
	struct target_table *target = &t->sketch.table.target;

	target->has_triggers = first->has_triggers;
	target->partitioned = first->partitioned;
	target->storage = first->storage;
	t->sketch.table.target_name = (char *) t->shares->name;
}

static void
make_world_table(struct history *h, struct world_table *t, const struct world_table *first, bool shared,
				 uint64_t *random)
{
	struct sketch_column columns[SKETCH_COLUMNS];
	char full[64];

	snprintf(t->name, sizeof t->name, "t %u", t->number);
	snprintf(full, sizeof full, "mo\"del.%s", t->name);
	if (first)
		copy_kind(t, first);
	else
		choose_kind(t, random, h->target.text);
	if (shared) {
		t->shared = true;
		t->operations = OPERATION_ALL & ~(unsigned) OPERATION_TRUNCATE;
	}
	sketch_init(&t->sketch, "mo\"del", t->name, t->identity, t->text, columns, describe_columns(t, columns));
	t->sketch.table.operations = t->operations;
	t->sketch.table.rows_may_be_absent = t->pruned;
	if (shared)
		t->sketch.table.shared_with = (char *) "several";
	t->source = make_table(h, &h->source, t, full, true);
	if (first)
		take_targets(t);
	else
		make_targets(h, t, random);
	HISTORY_NOTE(h, "table %u%s: identity %c%s%s%s%s%s, %u unfed, operations %u, %s\n", t->number,
				 first ? ", of the target of the one before" : "", t->identity, t->keyed ? " keyed" : "",
				 t->composite ? " composite" : "", t->unique ? " unique" : "", t->computed ? " computed" : "",
				 t->triggers ? " triggers" : "", t->unfed, t->operations, t->text ? "text" : "binary");
}

/* ---- the stream */

static bool
decode(struct history *h, struct change *change)
{
	struct reader r;

	reader_init(&r, h->frame.data, h->frame.len);
	if (h->frame.failed || !change_decode(&h->decoder, &r, change) || reader_left(&r) != 0)
		return history_fail(h, "decoding", h->decoder.problem ? h->decoder.problem : "bytes are left");
	return true;
}

/* Overwrites the frame, so that a view of it that the fold has kept shows up. */
static void
forget_frame(struct history *h)
{
	memset(h->frame.data, 0xAA, h->frame.len);
	buffer_reset(&h->frame);
}

static bool
start_stream(struct history *h)
{
	struct change_base base = {0};
	struct change change;

	change_put_startup(&h->frame, &base, 150000, "UTF8", "model", NULL, 0);
	if (!decode(h, &change))
		return false;
	forget_frame(h);
	return true;
}

/* Describes the relation (again), which makes a new shape. */
static bool
describe(struct history *h, struct world_table *t)
{
	struct shape *shape = &h->shapes[h->shape_count];
	struct change change;
	struct error err = {0};

	t->relation_number = h->shape_count + 1;
	t->sketch.relation.number = t->relation_number;
	change_put_relation(&h->frame, &t->sketch.relation);
	if (!decode(h, &change))
		return false;
	forget_frame(h);
	if (!shape_init(shape, h->shape_count + 1, change.relation, &t->sketch.table, t->triggers, &err))
		return history_fail(h, "shape", err.message);
	h->shape_count++;
	t->shape = shape;
	return true;
}

static void
put_value(struct history *h, const struct world_table *t, unsigned column, struct cell cell)
{
	if (t->sketch.columns[column].width == 0)
		buffer_put_varint(&h->frame, cell.len);
	buffer_put(&h->frame, cell.data, cell.len);
}

static void
put_row(struct history *h, const struct world_table *t, const struct cell *row, bool key_only,
		const bool *unchanged)
{
	bool nulls[SOURCE_COLUMNS], missing[SOURCE_COLUMNS];
	unsigned columns[SOURCE_COLUMNS], count = 0;

	for (unsigned i = 0; i < SOURCE_COLUMNS; i++) {
		if (key_only && !history_is_key(t, i))
			continue;
		nulls[count] = !row[i].data;
		missing[count] = unchanged && unchanged[i];
		columns[count++] = i;
	}
	change_put_row_head(&h->frame, count, nulls, unchanged ? missing : NULL);
	for (unsigned i = 0; i < count; i++)
		if (!nulls[i] && !missing[i])
			put_value(h, t, columns[i], row[columns[i]]);
}

/* A batch has one description of a table; before another one its changes are applied. */
static bool
make_way(struct history *h, const struct world_table *t)
{
	return !batch_has_other_shape(h->batch, t->shape) || h->apply(h);
}

static bool
fold(struct history *h, struct world_table *t, enum operation operation)
{
	struct change change;
	struct error err = {0};

	if ((t->operations & operation) && (!make_way(h, t) || !decode(h, &change)))
		return false;
	if ((t->operations & operation) && !net_change_add(batch_net(h->batch, t->shape), &change, &err))
		return history_fail(h, "folding", err.message);
	forget_frame(h);
	return true;
}

/* ---- the source's operations; each puts its change into the stream, too */

static void
show(struct history *h, const struct world_table *t, const char *what, const struct cell *row,
	 const bool *unchanged)
{
	HISTORY_NOTE(h, "  table %u: %s", t->number, what);
	for (unsigned i = 0; h->log && row && i < SOURCE_COLUMNS; i++) {
		HISTORY_NOTE(h, " %s=", column_names[i]);
		if (unchanged && unchanged[i])
			HISTORY_NOTE(h, "(unchanged) ");
		for (unsigned k = 0; k < row[i].len; k++)
			HISTORY_NOTE(h, row[i].data[k] >= 32 && row[i].data[k] < 127 ? "%c" : "<%02x>", row[i].data[k]);
		if (!row[i].data)
			HISTORY_NOTE(h, "NULL");
	}
	HISTORY_NOTE(h, "\n");
}

/* Of a table that the target lacks a column of. */
unsigned
history_target_place(const struct world_table *t, unsigned column)
{
	return column > COMPUTED && t->computed ? column - 1 : column;
}

static struct cell *
copy_of_row(struct history *h, const struct cell *row)
{
	struct cell *copy = arena_alloc(&h->arena, MINISQL_COLUMNS * sizeof *copy);

	memcpy(copy, row, MINISQL_COLUMNS * sizeof *copy);
	return copy;
}

static void
append(struct history *h, struct minisql_table *table, struct cell *row)
{
	if (table->row_count == table->row_capacity) {
		struct cell **grown = arena_alloc(&h->arena, (table->row_capacity * 2 + 8) * sizeof *grown);

		for (unsigned i = 0; i < table->row_count; i++)
			grown[i] = table->rows[i];
		table->rows = grown;
		table->row_capacity = table->row_capacity * 2 + 8;
	}
	table->rows[table->row_count++] = row;
}

/* The reference's row that stands for a row of the source: by key, or by all. */
static struct cell *
find_in_reference(const struct world_table *t, const struct cell *row, unsigned *at)
{
	for (unsigned i = 0; i < t->reference->row_count; i++) {
		bool same = true;

		for (unsigned c = 0; c < SOURCE_COLUMNS; c++)
			if (history_is_at_target(t, c) && (!t->keyed || history_is_key(t, c)))
				same &= minisql_same(t->reference->rows[i][history_target_place(t, c)], row[c]);
		if (!same)
			continue;
		*at = i;
		return t->reference->rows[i];
	}
	return NULL;
}

static void
remove_from_reference(struct world_table *t, const struct cell *row)
{
	unsigned at;

	if (find_in_reference(t, row, &at))
		t->reference->rows[at] = t->reference->rows[--t->reference->row_count];
}

static void
set_fed(const struct world_table *t, struct cell *to, const struct cell *row)
{
	for (unsigned c = 0; c < SOURCE_COLUMNS; c++)
		if (history_is_at_target(t, c))
			to[history_target_place(t, c)] = row[c];
}

static bool
same_key(const struct world_table *t, const struct cell *a, const struct cell *b)
{
	for (unsigned i = 0; i < SOURCE_COLUMNS; i++)
		if (history_is_key(t, i) && !minisql_same(a[i], b[i]))
			return false;
	return true;
}

static void
add_to_reference(struct history *h, struct world_table *t, const struct cell *row)
{
	struct cell *made = copy_of_row(h, t->reference->defaults);

	set_fed(t, made, row);
	append(h, t->reference, made);
}

static void
apply_insert(struct history *h, struct world_table *t, const struct cell *row)
{
	if (!(t->operations & OPERATION_INSERT))
		return;
	/* Where an operation is left out its row may still be there: the newer one stays. */
	if (may_be_stale(t))
		remove_from_reference(t, row);
	add_to_reference(h, t, row);
}

static void
apply_update(struct history *h, struct world_table *t, const struct cell *old, const struct cell *row)
{
	unsigned at;
	struct cell *found;

	if (!(t->operations & OPERATION_UPDATE))
		return;
	if (may_be_stale(t) && !same_key(t, old, row))
		remove_from_reference(t, row);
	found = find_in_reference(t, old, &at);
	if (found)
		set_fed(t, found, row);
	else if (t->pruned && (t->operations & OPERATION_INSERT))
		add_to_reference(h, t, row);
}

static bool
insert(struct history *h, struct world_table *t, struct cell *row)
{
	show(h, t, "insert", row, NULL);
	append(h, t->source, row);
	apply_insert(h, t, row);
	change_put_insert(&h->frame, t->relation_number);
	put_row(h, t, row, false, NULL);
	return fold(h, t, OPERATION_INSERT);
}

static bool
remove_row(struct history *h, struct world_table *t, unsigned at)
{
	struct cell *row = t->source->rows[at];
	bool full = t->identity == 'f';

	show(h, t, "delete", row, NULL);
	t->source->rows[at] = t->source->rows[--t->source->row_count];
	if (t->operations & OPERATION_DELETE)
		remove_from_reference(t, row);
	change_put_delete(&h->frame, t->relation_number, full ? CHANGE_OLD_FULL : CHANGE_OLD_KEY);
	put_row(h, t, row, !full, NULL);
	return fold(h, t, OPERATION_DELETE);
}

/* Without inserts, a row whose delete was not replicated may be mistaken for a newer row with its key, and give an
 * update values of the wrong row. */
static bool
may_mistake_rows(const struct world_table *t)
{
	return t->operations != OPERATION_ALL && !(t->operations & OPERATION_INSERT);
}

/* Chooses long values that are not sent since they did not change; with identity FULL the plugin takes them from the old row. */
static bool
choose_unchanged(const struct world_table *t, const struct cell *old, const struct cell *row,
				 uint64_t *random, bool *unchanged)
{
	bool any = false;

	for (unsigned i = 0; i < SOURCE_COLUMNS; i++) {
		bool toastable = (i == BIG || i == HUGE || i == COMPUTED) && !may_mistake_rows(t) && !t->pruned;

		unchanged[i] = toastable && t->identity != 'f' && row[i].data && minisql_same(old[i], row[i]) &&
					   history_chance(random, 60);
		any |= unchanged[i];
	}
	return any;
}

static bool
update(struct history *h, struct world_table *t, unsigned at, struct cell *row, uint64_t *random)
{
	struct cell *old = t->source->rows[at];
	bool unchanged[SOURCE_COLUMNS];
	bool any = choose_unchanged(t, old, row, random, unchanged);
	enum change_old kind = t->identity == 'f' ? CHANGE_OLD_FULL : CHANGE_OLD_KEY;

	/* The server sends an old key, even unchanged, if it is TOASTed. */
	if (kind == CHANGE_OLD_KEY && same_key(t, old, row) && history_chance(random, 90))
		kind = CHANGE_OLD_SAME;
	show(h, t, "update from", old, NULL);
	show(h, t, "         to", row, any ? unchanged : NULL);
	t->source->rows[at] = row;
	apply_update(h, t, old, row);
	change_put_update(&h->frame, t->relation_number, kind);
	if (kind != CHANGE_OLD_SAME)
		put_row(h, t, old, kind == CHANGE_OLD_KEY, NULL);
	put_row(h, t, row, false, any ? unchanged : NULL);
	return fold(h, t, OPERATION_UPDATE);
}

/* ---- random operations */

static bool
is_taken(struct history *h, const struct world_table *t, const struct cell *row, const struct cell *but)
{
	const struct world_table *source;

	for (unsigned next = 0; t->keyed && (source = next_source(h, t, &next));)
		for (unsigned i = 0; i < source->source->row_count; i++)
			if (source->source->rows[i] != but && same_key(t, source->source->rows[i], row))
				return true;
	return false;
}

static struct cell
unused_unique(struct history *h, const struct world_table *t, uint64_t *random, const struct cell *but)
{
	struct cell cell = number_cell(h, t, history_below(random, 8));
	const struct world_table *source;

	if (history_chance(random, 20))
		return (struct cell){0};
	for (unsigned next = 0; t->unique && (source = next_source(h, t, &next));)
		for (unsigned i = 0; i < source->source->row_count; i++)
			if (source->source->rows[i] != but && minisql_same(source->source->rows[i][UNIQUE], cell))
				return (struct cell){0};
	return cell;
}

static void
draw_key(struct history *h, const struct world_table *t, struct cell *row, uint64_t *random)
{
	/* What fires triggers is updated in place, where a key that somebody else had may be in the way. */
	row[ID] = number_cell(h, t, t->triggers ? ++h->fresh : history_below(random, 8));
	row[PAIR] = history_below(random, 2) ? history_cell(h, "a\\b", 3) : history_cell(h, "", 0);
}

static void
draw_rest(struct history *h, const struct world_table *t, struct cell *row, unsigned percent,
		  uint64_t *random, const struct cell *but)
{
	if (history_chance(random, percent))
		row[UNIQUE] = unused_unique(h, t, random, but);
	if (!t->composite && history_chance(random, percent))
		row[PAIR] = history_chance(random, 20) ? (struct cell){0} : text_cell(h, random);
	if (history_chance(random, percent))
		row[BIG] = text_cell(h, random);
	if (history_chance(random, percent))
		row[HUGE] = history_chance(random, 20) ? (struct cell){0} : text_cell(h, random);
	if (history_chance(random, percent))
		row[COMPUTED] = text_cell(h, random);
	if (history_chance(random, percent))
		row[NOTE] = history_chance(random, 20) ? (struct cell){0} : text_cell(h, random);
}

/* One that may be inserted; NULL when the one that came up may not. */
static struct cell *
random_row(struct history *h, const struct world_table *t, uint64_t *random)
{
	struct cell *row = copy_of_row(h, t->source->defaults);

	if (!t->keyed && t->source->row_count > 0 && history_chance(random, 50))
		return copy_of_row(h, t->source->rows[history_below(random, t->source->row_count)]);
	draw_key(h, t, row, random);
	draw_rest(h, t, row, 100, random, NULL);
	return is_taken(h, t, row, NULL) ? NULL : row;
}

static bool
random_insert(struct history *h, struct world_table *t, uint64_t *random)
{
	struct cell *row = random_row(h, t, random);

	return !row || insert(h, t, row);
}

static bool
random_update(struct history *h, struct world_table *t, unsigned at, uint64_t *random, unsigned key_percent)
{
	struct cell *old = t->source->rows[at];
	struct cell *row = copy_of_row(h, old);

	if (history_chance(random, key_percent))
		draw_key(h, t, row, random);
	if (!t->composite && t->keyed)
		row[PAIR] = old[PAIR];
	draw_rest(h, t, row, 30, random, old);
	return is_taken(h, t, row, old) || update(h, t, at, row, random);
}

/* a → elsewhere, b → a's, a → b's: of the key, or of the unique column. */
static bool
random_swap(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	unsigned other = history_below(random, t->source->row_count);
	struct cell *a = copy_of_row(h, t->source->rows[at]);
	struct cell *b = copy_of_row(h, t->source->rows[other]);
	struct cell *away = copy_of_row(h, a);
	unsigned column = t->unique && history_chance(random, 50) ? UNIQUE : ID;
	struct cell kept = a[column];

	if (at == other || t->triggers || minisql_same(a[column], b[column]))
		return true;
	away[column] = column == UNIQUE ? (struct cell){0} : number_cell(h, t, 100);
	a[column] = b[column];
	b[column] = kept;
	if (is_taken(h, t, a, t->source->rows[other]) || is_taken(h, t, b, t->source->rows[at]))
		return true;
	return update(h, t, at, away, random) && update(h, t, other, b, random) && update(h, t, at, a, random);
}

/* a leaves its key, b takes it. */
static bool
random_chain(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	unsigned other = history_below(random, t->source->row_count);
	struct cell *first = copy_of_row(h, t->source->rows[at]);
	struct cell *second = copy_of_row(h, t->source->rows[other]);

	if (at == other || t->triggers)
		return true;
	second[ID] = first[ID];
	if (t->composite)
		second[PAIR] = first[PAIR];
	draw_key(h, t, first, random);
	if (!t->composite)
		first[PAIR] = t->source->rows[at][PAIR];
	return is_taken(h, t, first, NULL) ||
		   (update(h, t, at, first, random) && update(h, t, other, second, random));
}

static bool
random_replace(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	struct cell *row = copy_of_row(h, t->source->rows[at]);

	if (!remove_row(h, t, at))
		return false;
	draw_rest(h, t, row, 60, random, NULL);
	return insert(h, t, row);
}

/* ---- between the sources of one target */

/* Another source of the same target; NULL: there is none. */
static struct world_table *
random_partner(struct history *h, const struct world_table *t, uint64_t *random)
{
	struct world_table *partner = NULL, *other;
	unsigned found = 0;

	for (unsigned next = 0; (other = next_source(h, t, &next));)
		if (other != t && history_below(random, ++found) == 0)
			partner = other;
	return partner;
}

/* A row, and its key, passes from one source to another; within a batch in either order. */
static bool
random_pass(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	struct world_table *other = random_partner(h, t, random);
	struct cell *row = copy_of_row(h, t->source->rows[at]);
	bool at_once =
		!batch_has_other_shape(h->batch, t->shape) && other && !batch_has_other_shape(h->batch, other->shape);

	if (!other || t->triggers)
		return true;
	/* The reference cannot tell two rows of one key; of rows that are there either does. */
	if (at_once && !t->pruned && history_chance(random, 50))
		return insert(h, other, row) && remove_row(h, t, at);
	return remove_row(h, t, at) && insert(h, other, row);
}

static void
take_key(const struct world_table *t, struct cell *row, const struct cell *from)
{
	row[ID] = from[ID];
	if (t->composite)
		row[PAIR] = from[PAIR];
}

/* a → elsewhere, the other source's b → a's, a → b's. */
static bool
random_cross(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	struct world_table *other = random_partner(h, t, random);
	struct cell *a, *b, *away;
	unsigned other_at;

	if (!other || !t->keyed || t->triggers || other->source->row_count == 0)
		return true;
	other_at = history_below(random, other->source->row_count);
	a = copy_of_row(h, t->source->rows[at]);
	b = copy_of_row(h, other->source->rows[other_at]);
	away = copy_of_row(h, a);
	away[ID] = number_cell(h, t, 100);
	take_key(t, a, other->source->rows[other_at]);
	take_key(t, b, t->source->rows[at]);
	return update(h, t, at, away, random) && update(h, other, other_at, b, random) &&
		   update(h, t, at, a, random);
}

/* ---- */

static bool
truncate(struct history *h, struct world_table *t, bool restart)
{
	/* Its rows would stay, in the way of other sources' keys. */
	if (t->shared)
		return true;
	show(h, t, "truncate", NULL, NULL);
	t->source->row_count = 0;
	if (!(t->operations & OPERATION_TRUNCATE))
		return true;
	if (!make_way(h, t))
		return false;
	t->reference->row_count = 0;
	batch_truncate(h->batch, t->shape, restart);
	return true;
}

static bool
redescribe(struct history *h, struct world_table *t)
{
	HISTORY_NOTE(h, "  table %u: described again\n", t->number);
	return h->shape_count == HISTORY_SHAPES || describe(h, t);
}

static bool
operate(struct history *h, struct world_table *t, uint64_t *random)
{
	unsigned what = history_below(random, 100);
	unsigned at;

	if (what < 2)
		return truncate(h, t, history_chance(random, 30));
	if (what < 4)
		return redescribe(h, t);
	if (what < 30 || t->source->row_count == 0 || t->inserts_only)
		return random_insert(h, t, random);
	at = history_below(random, t->source->row_count);
	if (what < 60)
		return random_update(h, t, at, random, 15);
	if (what < 72)
		return random_update(h, t, at, random, 100);
	if (what < 77)
		return random_swap(h, t, at, random);
	if (what < 82)
		return random_chain(h, t, at, random);
	if (what < 87)
		return random_replace(h, t, at, random);
	if (what < 90)
		return random_pass(h, t, at, random);
	if (what < 93)
		return random_cross(h, t, at, random);
	return remove_row(h, t, at);
}

bool
history_step(struct history *h, uint64_t *random)
{
	struct world_table *t = &h->tables[history_below(random, h->table_count)];

	return operate(h, t, random);
}

/* ---- beginning and end */

/* The rows of the initial copy. */
static void
copy_initially(struct history *h, struct world_table *t, uint64_t *random)
{
	for (unsigned i = history_below(random, 8); i > 0; i--) {
		struct cell *row = random_row(h, t, random), *made;

		if (!row)
			continue;
		append(h, t->source, row);
		made = copy_of_row(h, t->target->defaults);
		set_fed(t, made, row);
		append(h, t->reference, made);
		append(h, t->target, copy_of_row(h, made));
		show(h, t, "copied", row, NULL);
	}
}

bool
history_start(struct history *h)
{
	static const struct dialect *const dialects[] = {&dialect_postgresql, &dialect_greenplum6,
													 &dialect_greenplum7};
	uint64_t random = h->seed;
	unsigned choice;

	arena_init(&h->arena, 65536);
	stagings_init(&h->stagings);
	h->source.arena = h->target.arena = &h->arena;
	h->batch = batch_create();
	buffer_init(&h->frame, HISTORY_FRAME_LIMIT, NULL, NULL);
	if (!change_decoder_init(&h->decoder))
		return history_fail(h, "decoder", "no memory");
	choice = history_below(&random, 3);
	if (!h->dialect)
		h->own_dialect = *dialects[choice];
	else
		h->own_dialect = *h->dialect;
	h->own_dialect.few_rows = (int) history_below(&random, 4);
	h->dialect = &h->own_dialect;
	h->source.text = h->target.text = history_chance(&random, 50);
	h->table_count = 1 + history_below(&random, HISTORY_TABLES);
	if (!start_stream(h))
		return false;
	for (unsigned i = 0; i < h->table_count; i++) {
		const struct world_table *before = i > 0 ? &h->tables[i - 1] : NULL;
		bool shares = before && before->shared;
		bool shared = shares || (i + 1 < h->table_count && history_chance(&random, 30));

		h->tables[i].number = i;
		make_world_table(h, &h->tables[i], shares ? before->shares ? before->shares : before : NULL, shared,
						 &random);
		copy_initially(h, &h->tables[i], &random);
		if (!describe(h, &h->tables[i]))
			return false;
	}
	return true;
}

void
history_finish(struct history *h)
{
	batch_destroy(h->batch);
	stagings_fini(&h->stagings);
	for (unsigned i = 0; i < h->shape_count; i++)
		shape_fini(&h->shapes[i]);
	change_decoder_fini(&h->decoder);
	buffer_fini(&h->frame);
	arena_fini(&h->arena);
}
