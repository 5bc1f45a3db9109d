/*
 * Random histories: the net change of each batch, merged into a table of
 * minisql by the statements of its plan, must leave what the raw changes leave
 * when they are applied one after another.
 *
 * A history is a seed and a set of steps; each step draws from its own random
 * numbers, so that a history that fails can be shortened by leaving steps out.
 *
 *	MODEL_SEED=n    only the history of that seed, with all its steps printed
 *	MODEL_COUNT=n   so many histories instead of the usual number
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "applier/batch.h"
#include "applier/merge_plan.h"
#include "minisql.h"
#include "sketch.h"

#define USUAL_COUNT 12000
#define MAX_STEPS 120
#define MAX_TABLES 3
#define MAX_SHAPES 64
#define FRAME_LIMIT ((size_t) 1 << 20)

/* ---- random numbers */

/* splitmix64: good enough, and the same everywhere. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static unsigned
below(uint64_t *state, unsigned limit)
{
	return (unsigned) (draw(state) % limit);
}

static bool
chance(uint64_t *state, unsigned percent)
{
	return below(state, 100) < percent;
}

/* ---- what a history is about */

/* The source's columns; the target has them in the opposite order, with
 * columns of its own behind. */
enum { ID, PAIR, UNIQUE, BIG, HUGE, COMPUTED, NOTE, SOURCE_COLUMNS };

static const char *const column_names[] = {"id",	   "pair \"2\"", "u",	  "big", "Huge, it is",
										   "computed", "select",	 "extra", "more"};

#define UNFED_FIRST SOURCE_COLUMNS
#define UNFED_MAX 2

struct world_table {
	unsigned number;
	char name[32];
	char identity; /* at the source */
	bool keyed;
	bool composite;
	bool unique;
	bool computed;
	bool triggers;
	bool text;
	bool inserts_only;
	unsigned operations; /* that are followed */
	unsigned unfed;
	struct sketch sketch;
	struct minisql_table *source;	 /* what the source holds, with the target's extra columns */
	struct minisql_table *reference; /* the raw changes one after another, as the target has it */
	struct minisql_table *target;
	const struct shape *shape;
	uint32_t relation_number;
};

struct history {
	uint64_t seed;
	const bool *enabled; /* by step */
	FILE *log;			 /* NULL: silent */
	struct arena arena;
	struct minisql source;
	struct minisql target;
	struct world_table tables[MAX_TABLES];
	unsigned table_count;
	const struct dialect *dialect;
	struct batch *batch;
	struct shape shapes[MAX_SHAPES];
	struct change_relation *described[MAX_SHAPES];
	struct staging stagings[MAX_SHAPES];
	unsigned shape_count;
	struct change_decoder decoder;
	struct buffer frame;
	uint32_t fresh; /* the last key that nobody had before */
	uint64_t stamp; /* for the values of columns that are not fed */
	int64_t statements;
	char problem[1024];
};

static bool
failed(struct history *h, const char *what, const char *why)
{
	if (!h->problem[0])
		snprintf(h->problem, sizeof h->problem, "%s: %s", what, why);
	return false;
}

#define NOTE_DOWN(h, ...)                                                                                    \
	do {                                                                                                     \
		if ((h)->log)                                                                                        \
			fprintf((h)->log, __VA_ARGS__);                                                                  \
	} while (0)

/* ---- values */

static struct cell
cell_of(struct history *h, const void *data, size_t len)
{
	return (struct cell){arena_copy(&h->arena, data, len), (uint32_t) len};
}

static struct cell
number_cell(struct history *h, const struct world_table *t, uint32_t number)
{
	char digits[16];
	uint32_t be = __builtin_bswap32(number);

	if (!t->text)
		return cell_of(h, &be, sizeof be);
	return cell_of(h, digits, (size_t) snprintf(digits, sizeof digits, "%u", number));
}

static struct cell
text_cell(struct history *h, uint64_t *random)
{
	static const char *const odd[] = {"",	  "\\",	   "\n",	"\t",	 "\\N",	   "\\.",
									  "a,b",  "\"q\"", "{}",	"NULL",	 "a\r\nb", "\\\\n",
									  "{\"a", "é",	   "x\\ty", "plain", "' OR 1"};
	char number[16];

	if (chance(random, 60)) {
		const char *text = odd[below(random, sizeof(odd) / sizeof(*odd))];

		return cell_of(h, text, strlen(text));
	}
	return cell_of(h, number, (size_t) snprintf(number, sizeof number, "v%u", below(random, 1000)));
}

/* ---- building the tables */

static bool
is_key_column(const struct world_table *t, unsigned column)
{
	return t->keyed && (column == ID || (t->composite && column == PAIR));
}

static unsigned
describe_columns(const struct world_table *t, struct sketch_column *columns)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SOURCE_COLUMNS + t->unfed; i++) {
		struct sketch_column *column = &columns[count++];

		*column = (struct sketch_column){.name = column_names[i], .type = &sketch_text};
		if (i == ID || i == UNIQUE)
			column->type = &sketch_int4;
		if (is_key_column(t, i))
			column->flags = SKETCH_KEY | SKETCH_DISTRIBUTES;
		if (i == COMPUTED && t->computed)
			column->flags = SKETCH_COMPUTED;
		if (i >= UNFED_FIRST)
			column->flags = SKETCH_TARGET_ONLY;
	}
	return count;
}

static bool
is_at_target(const struct world_table *t, unsigned column)
{
	return column != COMPUTED || !t->computed;
}

static struct minisql_table *
make_table(struct history *h, struct minisql *db, const struct world_table *t, const char *name, bool all)
{
	struct minisql_table *table = minisql_create(db, name);

	for (unsigned i = 0; i < SOURCE_COLUMNS + t->unfed; i++)
		if (all || is_at_target(t, i))
			minisql_add_column(db, table, column_names[i],
							   i >= UNFED_FIRST ? cell_of(h, "default", 7) : (struct cell){0});
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

	t->identity = identities[below(random, sizeof identities - 1)];
	t->keyed = t->identity == 'd' || (t->identity == 'f' && chance(random, 50));
	t->inserts_only = t->identity == 'n';
	if (t->identity == 'd' && chance(random, 5)) {
		t->keyed = false;
		t->inserts_only = true;
	}
	t->composite = chance(random, 40);
	t->triggers = t->keyed && chance(random, 15);
	t->unique = t->keyed && !t->triggers && chance(random, 40);
	t->computed = chance(random, 20);
	t->unfed = t->keyed && chance(random, 40) ? 1 + below(random, UNFED_MAX) : 0;
	t->text = text;
	t->operations = OPERATION_ALL;
	/* Rows that stay behind would be in the way of another unique constraint. */
	if (t->keyed && !t->unique && chance(random, 20))
		t->operations = 1 + below(random, OPERATION_ALL);
}

static void
make_world_table(struct history *h, struct world_table *t, uint64_t *random)
{
	struct sketch_column columns[SKETCH_COLUMNS];
	char full[64];

	snprintf(t->name, sizeof t->name, "t %u", t->number);
	snprintf(full, sizeof full, "mo\"del.%s", t->name);
	choose_kind(t, random, h->target.text);
	sketch_init(&t->sketch, "mo\"del", t->name, t->identity, t->text, columns, describe_columns(t, columns));
	t->sketch.table.operations = t->operations;
	t->sketch.table.target.has_triggers = t->triggers;
	t->sketch.table.target.has_secondary_unique = t->unique;
	t->sketch.table.target.partitioned = chance(random, 10);
	t->sketch.table.target.storage = (enum target_storage) below(random, 3);
	t->source = make_table(h, &h->source, t, full, true);
	t->reference = make_table(h, &h->source, t, full, false);
	t->target = make_table(h, &h->target, t, full, false);
	if (t->operations != OPERATION_ALL)
		t->reference->unique_count = 0;
	NOTE_DOWN(h, "table %u: identity %c%s%s%s%s%s, %u unfed, operations %u, %s\n", t->number, t->identity,
			  t->keyed ? " keyed" : "", t->composite ? " composite" : "", t->unique ? " unique" : "",
			  t->computed ? " computed" : "", t->triggers ? " triggers" : "", t->unfed, t->operations,
			  t->text ? "text" : "binary");
}

/* ---- the stream */

static bool
decode(struct history *h, struct change *change)
{
	struct reader r;

	reader_init(&r, h->frame.data, h->frame.len);
	if (h->frame.failed || !change_decode(&h->decoder, &r, change) || reader_left(&r) != 0)
		return failed(h, "decoding", h->decoder.problem ? h->decoder.problem : "bytes are left");
	return true;
}

/* The frame's memory is somebody else's as soon as the change is folded. */
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

/* Describes the relation (anew), which makes a new shape of it. */
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
		return failed(h, "shape", err.message);
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
		if (key_only && !is_key_column(t, i))
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

static bool
fold(struct history *h, struct world_table *t, enum operation operation)
{
	struct change change;
	struct error err = {0};

	if ((t->operations & operation) &&
		(!decode(h, &change) || (!net_change_add(batch_net(h->batch, t->shape), &change, &err) &&
								 !failed(h, "folding", err.message))))
		return false;
	forget_frame(h);
	return true;
}

/* ---- the source's operations; each puts its change into the stream, too */

static void
show(struct history *h, const struct world_table *t, const char *what, const struct cell *row,
	 const bool *unchanged)
{
	NOTE_DOWN(h, "  table %u: %s", t->number, what);
	for (unsigned i = 0; h->log && row && i < SOURCE_COLUMNS; i++) {
		NOTE_DOWN(h, " %s=", column_names[i]);
		if (unchanged && unchanged[i])
			NOTE_DOWN(h, "(unchanged) ");
		for (unsigned k = 0; k < row[i].len; k++)
			NOTE_DOWN(h, row[i].data[k] >= 32 && row[i].data[k] < 127 ? "%c" : "<%02x>", row[i].data[k]);
		if (!row[i].data)
			NOTE_DOWN(h, "NULL");
	}
	NOTE_DOWN(h, "\n");
}

/* Of a table that the target lacks a column of. */
static unsigned
target_place(const struct world_table *t, unsigned column)
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
			if (is_at_target(t, c) && (!t->keyed || is_key_column(t, c)))
				same &= minisql_same(t->reference->rows[i][target_place(t, c)], row[c]);
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
		if (is_at_target(t, c))
			to[target_place(t, c)] = row[c];
}

static bool
same_key(const struct world_table *t, const struct cell *a, const struct cell *b)
{
	for (unsigned i = 0; i < SOURCE_COLUMNS; i++)
		if (is_key_column(t, i) && !minisql_same(a[i], b[i]))
			return false;
	return true;
}

static void
apply_insert(struct history *h, struct world_table *t, const struct cell *row)
{
	struct cell *made;

	if (!(t->operations & OPERATION_INSERT))
		return;
	/* Where an operation is left out its row may still be there: the newer one stays. */
	if (t->operations != OPERATION_ALL)
		remove_from_reference(t, row);
	made = copy_of_row(h, t->reference->defaults);
	set_fed(t, made, row);
	append(h, t->reference, made);
}

static void
apply_update(struct world_table *t, const struct cell *old, const struct cell *row)
{
	unsigned at;
	struct cell *found;

	if (!(t->operations & OPERATION_UPDATE))
		return;
	if (t->operations != OPERATION_ALL && !same_key(t, old, row))
		remove_from_reference(t, row);
	found = find_in_reference(t, old, &at);
	if (found)
		set_fed(t, found, row);
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

/* Where inserts are left out and a row that went stays, its values may stand
 * for those of a newer one that was not followed. */
static bool
may_mistake_rows(const struct world_table *t)
{
	return t->operations != OPERATION_ALL && !(t->operations & OPERATION_INSERT);
}

/* Long values that did not change do not travel, unless the old row is there to take them from. */
static bool
choose_unchanged(const struct world_table *t, const struct cell *old, const struct cell *row,
				 uint64_t *random, bool *unchanged)
{
	bool any = false;

	for (unsigned i = 0; i < SOURCE_COLUMNS; i++) {
		bool toastable = (i == BIG || i == HUGE || i == COMPUTED) && !may_mistake_rows(t);

		unchanged[i] = toastable && t->identity != 'f' && row[i].data && minisql_same(old[i], row[i]) &&
					   chance(random, 60);
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

	/* The server sends an old key also where it did not change but is long. */
	if (kind == CHANGE_OLD_KEY && same_key(t, old, row) && chance(random, 90))
		kind = CHANGE_OLD_SAME;
	show(h, t, "update from", old, NULL);
	show(h, t, "         to", row, any ? unchanged : NULL);
	t->source->rows[at] = row;
	apply_update(t, old, row);
	change_put_update(&h->frame, t->relation_number, kind);
	if (kind != CHANGE_OLD_SAME)
		put_row(h, t, old, kind == CHANGE_OLD_KEY, NULL);
	put_row(h, t, row, false, any ? unchanged : NULL);
	return fold(h, t, OPERATION_UPDATE);
}

/* ---- random operations */

static bool
is_taken(const struct world_table *t, const struct cell *row, const struct cell *but)
{
	for (unsigned i = 0; t->keyed && i < t->source->row_count; i++)
		if (t->source->rows[i] != but && same_key(t, t->source->rows[i], row))
			return true;
	return false;
}

static struct cell
unused_unique(struct history *h, const struct world_table *t, uint64_t *random, const struct cell *but)
{
	struct cell cell = number_cell(h, t, below(random, 8));

	if (chance(random, 20))
		return (struct cell){0};
	for (unsigned i = 0; t->unique && i < t->source->row_count; i++)
		if (t->source->rows[i] != but && minisql_same(t->source->rows[i][UNIQUE], cell))
			return (struct cell){0};
	return cell;
}

static void
draw_key(struct history *h, const struct world_table *t, struct cell *row, uint64_t *random)
{
	/* What fires triggers is updated in place, where a key that somebody else had may be in the way. */
	row[ID] = number_cell(h, t, t->triggers ? ++h->fresh : below(random, 8));
	row[PAIR] = below(random, 2) ? cell_of(h, "a\\b", 3) : cell_of(h, "", 0);
}

static void
draw_rest(struct history *h, const struct world_table *t, struct cell *row, unsigned percent,
		  uint64_t *random, const struct cell *but)
{
	if (chance(random, percent))
		row[UNIQUE] = unused_unique(h, t, random, but);
	if (!t->composite && chance(random, percent))
		row[PAIR] = chance(random, 20) ? (struct cell){0} : text_cell(h, random);
	if (chance(random, percent))
		row[BIG] = text_cell(h, random);
	if (chance(random, percent))
		row[HUGE] = chance(random, 20) ? (struct cell){0} : text_cell(h, random);
	if (chance(random, percent))
		row[COMPUTED] = text_cell(h, random);
	if (chance(random, percent))
		row[NOTE] = chance(random, 20) ? (struct cell){0} : text_cell(h, random);
}

/* One that may be inserted; NULL when the one that came up may not. */
static struct cell *
random_row(struct history *h, const struct world_table *t, uint64_t *random)
{
	struct cell *row = copy_of_row(h, t->source->defaults);

	if (!t->keyed && t->source->row_count > 0 && chance(random, 50))
		return copy_of_row(h, t->source->rows[below(random, t->source->row_count)]);
	draw_key(h, t, row, random);
	draw_rest(h, t, row, 100, random, NULL);
	return is_taken(t, row, NULL) ? NULL : row;
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

	if (chance(random, key_percent))
		draw_key(h, t, row, random);
	if (!t->composite && t->keyed)
		row[PAIR] = old[PAIR];
	draw_rest(h, t, row, 30, random, old);
	return is_taken(t, row, old) || update(h, t, at, row, random);
}

/* a → elsewhere, b → a's, a → b's: of the key, or of the unique column. */
static bool
random_swap(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	unsigned other = below(random, t->source->row_count);
	struct cell *a = copy_of_row(h, t->source->rows[at]);
	struct cell *b = copy_of_row(h, t->source->rows[other]);
	struct cell *away = copy_of_row(h, a);
	unsigned column = t->unique && chance(random, 50) ? UNIQUE : ID;
	struct cell kept = a[column];

	if (at == other || t->triggers || minisql_same(a[column], b[column]))
		return true;
	away[column] = column == UNIQUE ? (struct cell){0} : number_cell(h, t, 100);
	a[column] = b[column];
	b[column] = kept;
	if (is_taken(t, a, t->source->rows[other]) || is_taken(t, b, t->source->rows[at]))
		return true;
	return update(h, t, at, away, random) && update(h, t, other, b, random) && update(h, t, at, a, random);
}

/* a leaves its key, b takes it. */
static bool
random_chain(struct history *h, struct world_table *t, unsigned at, uint64_t *random)
{
	unsigned other = below(random, t->source->row_count);
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
	return is_taken(t, first, NULL) ||
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

static bool
truncate(struct history *h, struct world_table *t)
{
	show(h, t, "truncate", NULL, NULL);
	t->source->row_count = 0;
	if (!(t->operations & OPERATION_TRUNCATE))
		return true;
	t->reference->row_count = 0;
	batch_truncate(h->batch, t->shape, false);
	return true;
}

static bool
redescribe(struct history *h, struct world_table *t)
{
	NOTE_DOWN(h, "  table %u: described anew\n", t->number);
	return h->shape_count == MAX_SHAPES || describe(h, t);
}

static bool
random_operation(struct history *h, struct world_table *t, uint64_t *random)
{
	unsigned what = below(random, 100);
	unsigned at;

	if (what < 2)
		return truncate(h, t);
	if (what < 4)
		return redescribe(h, t);
	if (what < 30 || t->source->row_count == 0 || t->inserts_only)
		return random_insert(h, t, random);
	at = below(random, t->source->row_count);
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
	return remove_row(h, t, at);
}

/* ---- applying a batch */

static bool
run_step(struct history *h, struct merge_step *step)
{
	struct buffer data;
	int64_t affected;
	bool ok;

	buffer_init(&data, FRAME_LIMIT, NULL, NULL);
	if (step->kind == MERGE_COPY) {
		while (copy_walk_next(&step->walk, &data, data.len + 1))
			;
	}
	NOTE_DOWN(h, "    %s\n", step->sql);
	h->statements++;
	ok = !step->walk.broken &&
		 minisql_execute(&h->target, step->sql, step->params, (struct bytes){data.data, data.len}, &affected);
	buffer_fini(&data);
	if (!ok)
		return failed(h, step->sql, step->walk.broken ? "a row lacks a value" : h->target.problem);
	if (step->kind == MERGE_COPY && affected != step->walk.rows)
		return failed(h, step->sql, "the walk counted other rows");
	if (step->expected_rows >= 0 && step->expected_rows != affected)
		return failed(h, step->sql, "not the expected number of rows");
	return true;
}

static bool
merge(struct history *h, const struct net_change *net)
{
	struct merge_plan plan;
	struct error err = {0};

	if (!merge_plan_build(&plan, net, h->dialect, &h->stagings[net->shape->number - 1], &h->batch->arena,
						  &err))
		return failed(h, "planning", err.message);
	for (struct merge_step *step = plan.first; step; step = step->next)
		if (!run_step(h, step))
			return false;
	return true;
}

static bool
apply(struct history *h)
{
	for (unsigned i = 0; i < h->batch->net_count; i++)
		for (unsigned k = 0; k < h->table_count; k++)
			if (h->batch->nets[i]->truncated && h->batch->nets[i]->shape->table == &h->tables[k].sketch.table)
				h->tables[k].target->row_count = 0;
	for (unsigned i = 0; i < h->batch->net_count; i++)
		if (!merge(h, h->batch->nets[i]))
			return false;
	batch_reset(h->batch);
	return true;
}

static void
commit(struct history *h)
{
	for (unsigned i = 0; i < MAX_SHAPES; i++)
		staging_committed(&h->stagings[i]);
	for (struct minisql_table *table = h->target.tables; table; table = table->next)
		if (strncmp(table->name, "pg_temp.", 8) == 0)
			table->row_count = 0;
}

/* ---- comparing */

static bool
same_tables(const struct minisql_table *a, const struct minisql_table *b)
{
	if (a->row_count != b->row_count)
		return false;
	for (unsigned i = 0; i < a->row_count; i++)
		for (unsigned c = 0; c < a->column_count; c++)
			if (!minisql_same(a->rows[i][c], b->rows[i][c]))
				return false;
	return true;
}

static void
show_table(struct history *h, const char *what, const struct minisql_table *table)
{
	NOTE_DOWN(h, "%s:\n", what);
	for (unsigned i = 0; h->log && i < table->row_count; i++) {
		for (unsigned c = 0; c < table->column_count; c++) {
			NOTE_DOWN(h, " %s=", table->columns[c]);
			for (unsigned k = 0; k < table->rows[i][c].len; k++)
				NOTE_DOWN(h, table->rows[i][c].data[k] >= 32 ? "%c" : "<%02x>", table->rows[i][c].data[k]);
			if (!table->rows[i][c].data)
				NOTE_DOWN(h, "NULL");
		}
		NOTE_DOWN(h, "\n");
	}
}

/* Somebody at the destination gives the rows values of their own. */
static void
stamp_unfed(struct history *h, struct world_table *t)
{
	char text[24];

	for (unsigned i = 0; i < t->target->row_count; i++) {
		for (unsigned c = target_place(t, UNFED_FIRST); c < t->target->column_count; c++) {
			int len = snprintf(text, sizeof text, "stamp %lu", (unsigned long) ++h->stamp);

			t->target->rows[i][c] = t->reference->rows[i][c] = cell_of(h, text, (size_t) len);
		}
	}
}

static bool
compare(struct history *h)
{
	for (unsigned i = 0; i < h->table_count; i++) {
		struct world_table *t = &h->tables[i];

		minisql_sort(t->reference);
		minisql_sort(t->target);
		if (!same_tables(t->reference, t->target)) {
			show_table(h, "expected", t->reference);
			show_table(h, "found", t->target);
			return failed(h, t->name, "the target differs");
		}
		stamp_unfed(h, t);
	}
	return true;
}

/* ---- histories */

static bool
apply_and_compare(struct history *h)
{
	NOTE_DOWN(h, "  batch\n");
	if (!apply(h))
		return false;
	commit(h);
	return compare(h);
}

static bool
run_steps(struct history *h)
{
	for (unsigned i = 0; i < MAX_STEPS; i++) {
		uint64_t random = h->seed * 1000003 + i;

		(void) draw(&random);
		if (h->enabled && !h->enabled[i])
			continue;
		if (chance(&random, 8)) {
			if (!apply_and_compare(h))
				return false;
		} else if (chance(&random, 4)) {
			NOTE_DOWN(h, "  round\n");
			if (!apply(h))
				return false;
		} else if (!random_operation(h, &h->tables[below(&random, h->table_count)], &random)) {
			return false;
		}
	}
	return apply_and_compare(h);
}

/* What the initial copy brought. */
static void
copy_initially(struct history *h, struct world_table *t, uint64_t *random)
{
	for (unsigned i = below(random, 8); i > 0; i--) {
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

static bool
start(struct history *h)
{
	static const struct dialect *const dialects[] = {&dialect_postgresql, &dialect_greenplum6,
													 &dialect_greenplum7};
	uint64_t random = h->seed;

	arena_init(&h->arena, 65536);
	h->source.arena = h->target.arena = &h->arena;
	h->batch = batch_create();
	buffer_init(&h->frame, FRAME_LIMIT, NULL, NULL);
	if (!change_decoder_init(&h->decoder))
		return failed(h, "decoder", "no memory");
	h->dialect = dialects[below(&random, 3)];
	h->source.text = h->target.text = chance(&random, 50);
	h->table_count = 1 + below(&random, MAX_TABLES);
	if (!start_stream(h))
		return false;
	for (unsigned i = 0; i < h->table_count; i++) {
		h->tables[i].number = i;
		make_world_table(h, &h->tables[i], &random);
		copy_initially(h, &h->tables[i], &random);
		if (!describe(h, &h->tables[i]))
			return false;
	}
	return true;
}

static void
finish(struct history *h)
{
	batch_destroy(h->batch);
	for (unsigned i = 0; i < h->shape_count; i++)
		shape_fini(&h->shapes[i]);
	change_decoder_fini(&h->decoder);
	buffer_fini(&h->frame);
	arena_fini(&h->arena);
}

/* False when the history fails; then `why` says how. */
static bool
run_history(uint64_t seed, const bool *enabled, FILE *log, char why[1024], int64_t *statements)
{
	struct history *h = calloc(1, sizeof *h);
	bool ok;

	if (!h)
		abort();
	h->seed = seed;
	h->fresh = 1000;
	h->enabled = enabled;
	h->log = log;
	ok = start(h) && run_steps(h);
	snprintf(why, 1024, "%s", h->problem);
	*statements += h->statements;
	finish(h);
	free(h);
	return ok;
}

/* Leaves out every step without which it still fails. */
static void
shorten(uint64_t seed, bool *enabled)
{
	char why[1024];
	int64_t statements = 0;

	for (unsigned size = MAX_STEPS / 2; size > 0; size /= 2) {
		for (unsigned from = 0; from < MAX_STEPS; from += size) {
			bool before[MAX_STEPS];

			memcpy(before, enabled, sizeof before);
			for (unsigned i = from; i < from + size && i < MAX_STEPS; i++)
				enabled[i] = false;
			if (run_history(seed, enabled, NULL, why, &statements))
				memcpy(enabled, before, sizeof before);
		}
	}
}

static void
report(uint64_t seed)
{
	bool enabled[MAX_STEPS];
	char why[1024];
	int64_t statements = 0;

	memset(enabled, true, sizeof enabled);
	shorten(seed, enabled);
	fprintf(stderr, "MODEL_SEED=%lu fails; a short history of it:\n", (unsigned long) seed);
	(void) run_history(seed, enabled, stderr, why, &statements);
	fprintf(stderr, "%s\n", why);
}

static void
test_histories(void **state)
{
	const char *only = getenv("MODEL_SEED");
	const char *count = getenv("MODEL_COUNT");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t last = only ? first : count ? strtoull(count, NULL, 10) : USUAL_COUNT;
	int64_t statements = 0;
	char why[1024];

	(void) state;
	for (uint64_t seed = first; seed <= last; seed++) {
		if (run_history(seed, NULL, NULL, why, &statements))
			continue;
		report(seed);
		fail_msg("seed %lu: %s", (unsigned long) seed, why);
	}
	/* Nothing would be found where nothing is executed. */
	assert_true(statements > (int64_t) (last - first));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
