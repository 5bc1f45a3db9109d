#include "descriptions.h"

#include <stdlib.h>

#include "base/memory.h"

void
descriptions_init(struct descriptions *d)
{
	*d = (struct descriptions){0};
	arena_init(&d->memory, (size_t) 64 * 1024);
	keymap_init(&d->oids);
}

void
descriptions_fini(struct descriptions *d)
{
	keymap_fini(&d->oids);
	arena_fini(&d->memory);
	free(d->latest);
	free(d->replaced);
}

static void
add_replaced(struct descriptions *d, uint32_t number)
{
	if (d->replaced_count == d->replaced_capacity) {
		d->replaced_capacity = d->replaced_capacity ? 2 * d->replaced_capacity : 64;
		d->replaced = memory_resize(d->replaced, d->replaced_capacity, sizeof *d->replaced);
	}
	d->replaced[d->replaced_count++] = number;
}

/* With the names, and with what a shape has of each column. */
#define COLUMN_BYTES 256

static size_t
bytes_of(const struct change_relation *relation)
{
	return sizeof *relation + relation->column_count * (size_t) COLUMN_BYTES +
		   relation->leaf_count * sizeof *relation->leaves;
}

void
descriptions_add(struct descriptions *d, const struct change_relation *relation)
{
	uint32_t index;
	bool found;

	index = keymap_insert(&d->oids, &d->memory, &relation->oid, sizeof relation->oid, &found);
	if (index >= d->latest_capacity) {
		d->latest_capacity = 2 * index + 64;
		d->latest = memory_resize(d->latest, d->latest_capacity, sizeof *d->latest);
	}
	if (found && relation->flags & RELATION_PARTITIONED)
		d->kept_bytes += bytes_of(relation);
	else if (found)
		add_replaced(d, d->latest[index]);
	d->latest[index] = relation->number;
}

bool
descriptions_is_latest(const struct descriptions *d, const struct change_relation *relation)
{
	uint32_t index = keymap_find(&d->oids, &relation->oid, sizeof relation->oid);

	return index != KEYMAP_NONE && d->latest[index] == relation->number;
}
