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
take_note_of_use(struct stagings *s, int64_t now_s)
{
	for (unsigned i = 0; i < s->touched_count; i++) {
		struct staging *staging = &s->all[s->touched[i]];

		if (!is_made(staging))
			continue;
		if (!staging->used_in) {
			append(&s->made, &s->made_count, &s->made_capacity, s->touched[i]);
			staging->made_s = now_s;
		}
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

static bool
is_old(const struct stagings *s, unsigned number, int64_t now_s)
{
	return now_s - s->all[number].made_s >= STAGING_LIFE_S;
}

static bool
any_to_drop(const struct stagings *s, int64_t now_s)
{
	bool any = s->made_count > STAGINGS_KEPT;

	for (unsigned i = 0; i < s->made_count && !any; i++)
		any = is_old(s, s->made[i], now_s);
	return any;
}

bool
stagings_put_drop(struct stagings *s, int64_t now_s, struct buffer *sql)
{
	unsigned kept = 0, excess;
	bool any = false;

	take_note_of_use(s, now_s);
	if (!any_to_drop(s, now_s))
		return false;
	excess = s->made_count > STAGINGS_KEPT ? s->made_count - STAGINGS_KEPT : 0;
	qsort_r(s->made, s->made_count, sizeof *s->made, compare_use, s);
	for (unsigned i = 0; i < s->made_count; i++) {
		unsigned number = s->made[i];
		struct staging *staging = &s->all[number];

		if (i >= excess && !is_old(s, number, now_s)) {
			s->made[kept++] = number;
			continue;
		}
		put_table(sql, "keys", number, staging->keys_made, &any);
		put_table(sql, "rows", number, staging->rows_made, &any);
		put_table(sql, "counts", number, staging->counts_made, &any);
		*staging = (struct staging){0};
	}
	s->made_count = kept;
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
