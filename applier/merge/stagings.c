#include "stagings.h"

#include <stdlib.h>

#include "base/memory.h"

void
stagings_init(struct stagings *stagings)
{
	*stagings = (struct stagings){.transactions = 1};
}

void
stagings_fini(struct stagings *stagings)
{
	free(stagings->all);
	free(stagings->touched);
	free(stagings->made);
}

static void
append(unsigned **numbers, unsigned *count, unsigned *capacity, unsigned number)
{
	if (*count == *capacity) {
		*capacity = *capacity ? 2 * *capacity : 64;
		*numbers = memory_resize(*numbers, *capacity, sizeof **numbers);
	}
	(*numbers)[(*count)++] = number;
}

struct staging *
stagings_of(struct stagings *s, unsigned number)
{
	if (number >= s->count) {
		unsigned count = (number + 1) * 2;

		s->all = memory_resize(s->all, count, sizeof *s->all);
		memset(s->all + s->count, 0, (count - s->count) * sizeof *s->all);
		s->count = count;
	}
	append(&s->touched, &s->touched_count, &s->touched_capacity, number);
	return &s->all[number];
}

static bool
is_made(const struct staging *staging)
{
	return staging->keys_made || staging->rows_made || staging->counts_made;
}

static bool
is_used(const struct staging *staging)
{
	return staging->keys_used || staging->rows_used || staging->counts_used;
}

static void
take_note_of_use(struct stagings *s)
{
	for (unsigned i = 0; i < s->touched_count; i++) {
		struct staging *staging = &s->all[s->touched[i]];

		if (!is_made(staging))
			continue;
		if (!staging->used_in)
			append(&s->made, &s->made_count, &s->made_capacity, s->touched[i]);
		if (is_used(staging) || !staging->used_in)
			staging->used_in = s->transactions;
	}
}

static int
compare_use(const void *a, const void *b, void *arg)
{
	const struct stagings *s = arg;
	int64_t x = s->all[*(const unsigned *) a].used_in, y = s->all[*(const unsigned *) b].used_in;

	return (x > y) - (x < y);
}

static void
put_table(struct buffer *sql, const char *what, unsigned number, bool made, bool *any)
{
	if (!made)
		return;
	buffer_printf(sql, "%spg_temp.sluice_%s_%u", *any ? ", " : "DROP TABLE ", what, number);
	*any = true;
}

bool
stagings_put_drop(struct stagings *s, struct buffer *sql)
{
	unsigned excess;
	bool any = false;

	take_note_of_use(s);
	if (s->made_count <= STAGINGS_KEPT)
		return false;
	excess = s->made_count - STAGINGS_KEPT;
	qsort_r(s->made, s->made_count, sizeof *s->made, compare_use, s);
	for (unsigned i = 0; i < excess; i++) {
		struct staging *staging = &s->all[s->made[i]];

		put_table(sql, "keys", s->made[i], staging->keys_made, &any);
		put_table(sql, "rows", s->made[i], staging->rows_made, &any);
		put_table(sql, "counts", s->made[i], staging->counts_made, &any);
		*staging = (struct staging){0};
	}
	s->made_count = STAGINGS_KEPT;
	memmove(s->made, s->made + excess, s->made_count * sizeof *s->made);
	return any;
}

void
stagings_committed(struct stagings *s)
{
	for (unsigned i = 0; i < s->touched_count; i++)
		staging_committed(&s->all[s->touched[i]]);
	s->touched_count = 0;
	s->transactions++;
}
