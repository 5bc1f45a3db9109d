#include "feed.h"

#include <stdlib.h>
#include <string.h>

const char feed_unchanged[] = "unchanged";

void
feed_init(struct feed *f, char identity, bool text, const struct sketch_column *columns, unsigned count)
{
	struct change_base base = {0};
	struct change change;
	struct reader r;

	*f = (struct feed){0};
	sketch_init(&f->sketch, "public", "orders", identity, text, columns, count);
	arena_init(&f->arena, 4096);
	buffer_init(&f->frame, (size_t) 1 << 26, NULL, NULL);
	if (!change_decoder_init(&f->decoder))
		abort();
	change_put_startup(&f->frame, &base, 150000, "UTF8", "shop", NULL, 0);
	reader_init(&r, f->frame.data, f->frame.len);
	if (!change_decode(&f->decoder, &r, &change))
		abort();
	buffer_reset(&f->frame);
}

bool
feed_open(struct feed *f, bool triggers_fire)
{
	struct change change;
	struct reader r;

	change_put_relation(&f->frame, &f->sketch.relation);
	reader_init(&r, f->frame.data, f->frame.len);
	if (!change_decode(&f->decoder, &r, &change))
		abort();
	buffer_reset(&f->frame);
	if (!shape_init(&f->shape, 1, change.relation, &f->sketch.table, triggers_fire, &f->err))
		return false;
	net_change_init(&f->net, &f->shape, &f->arena);
	return true;
}

void
feed_close(struct feed *f)
{
	if (f->net.shape)
		net_change_fini(&f->net);
	shape_fini(&f->shape);
	change_decoder_fini(&f->decoder);
	buffer_fini(&f->frame);
	arena_fini(&f->arena);
}

static void
put_value(struct feed *f, const struct change_column *column, const char *text)
{
	uint64_t be = __builtin_bswap64((uint64_t) strtoll(text, NULL, 10));

	if (column->width == 0)
		buffer_put_string(&f->frame, text, strlen(text));
	else
		buffer_put(&f->frame, (const uint8_t *) &be + 8 - column->width, column->width);
}

static void
put_row(struct feed *f, bool key_only, const char *const *row)
{
	const struct change_relation *relation = &f->sketch.relation;
	bool nulls[SKETCH_COLUMNS] = {false}, unchanged[SKETCH_COLUMNS] = {false};
	unsigned columns[SKETCH_COLUMNS], count = 0;

	for (unsigned i = 0; i < relation->column_count; i++) {
		if (key_only && !(relation->columns[i].flags & COLUMN_KEY))
			continue;
		nulls[count] = !row[i];
		unchanged[count] = row[i] == feed_unchanged;
		columns[count++] = i;
	}
	change_put_row_head(&f->frame, count, nulls, unchanged);
	for (unsigned i = 0; i < count; i++)
		if (!nulls[i] && !unchanged[i])
			put_value(f, &relation->columns[columns[i]], row[columns[i]]);
}

static bool
fold(struct feed *f)
{
	struct change change;
	struct reader r;
	bool ok;

	reader_init(&r, f->frame.data, f->frame.len);
	if (!change_decode(&f->decoder, &r, &change) || reader_left(&r) > 0)
		abort();
	f->err = (struct error){0};
	ok = net_change_add(&f->net, &change, &f->err);
	memset(f->frame.data, 0xAA, f->frame.len);
	buffer_reset(&f->frame);
	return ok;
}

bool
feed_insert(struct feed *f, const char *const *row)
{
	change_put_insert(&f->frame, 1);
	put_row(f, false, row);
	return fold(f);
}

bool
feed_update(struct feed *f, enum change_old kind, const char *const *old, const char *const *row)
{
	change_put_update(&f->frame, 1, kind);
	if (kind == CHANGE_OLD_KEY || kind == CHANGE_OLD_FULL)
		put_row(f, kind == CHANGE_OLD_KEY, old);
	put_row(f, false, row);
	return fold(f);
}

bool
feed_delete(struct feed *f, enum change_old kind, const char *const *old)
{
	change_put_delete(&f->frame, 1, kind);
	if (kind == CHANGE_OLD_KEY || kind == CHANGE_OLD_FULL)
		put_row(f, kind == CHANGE_OLD_KEY, old);
	return fold(f);
}
