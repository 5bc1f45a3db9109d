#include "statistics.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/sql.h"

/* The server asks every segment for the size of each: so many delay a batch by a second at most. */
#define LOOKS_AT_ONCE 500

struct statistics_target {
	int64_t written; /* changes since the last look */
	int64_t limit;	 /* at this number of rows its size is queried again; 0: it never was */
	bool outgrown;
};

void
statistics_init(struct statistics *statistics)
{
	*statistics = (struct statistics){0};
	keymap_init(&statistics->numbers);
	arena_init(&statistics->keys, 4096);
}

void
statistics_fini(struct statistics *statistics)
{
	keymap_fini(&statistics->numbers);
	arena_fini(&statistics->keys);
	free(statistics->targets);
}

static struct statistics_target *
target_of(struct statistics *s, uint32_t oid)
{
	bool found;
	uint32_t number = keymap_insert(&s->numbers, &s->keys, &oid, sizeof oid, &found);

	if (number >= s->capacity) {
		s->capacity = (number + 1) * 2;
		s->targets = memory_resize(s->targets, s->capacity, sizeof(*s->targets));
	}
	if (!found)
		s->targets[number] = (struct statistics_target){0};
	return &s->targets[number];
}

/* The statistics of a partitioned table are its leaves'.  Without `room` it stays due. */
static bool
is_due(struct statistics *s, const struct net_change *net, bool room)
{
	const struct target_table *target = &net->shape->table->target;
	struct statistics_target *entry;
	bool due;

	if (target->partitioned)
		return false;
	entry = target_of(s, target->oid);
	due = room && entry->written >= entry->limit;
	if (due)
		entry->written = 0;
	entry->written += net->changes;
	return due;
}

bool
statistics_put_query(struct statistics *statistics, const struct batch *batch, struct buffer *sql)
{
	unsigned looks = 0;

	for (unsigned i = 0; i < batch->net_count; i++) {
		if (batch->nets[i]->left_out || !is_due(statistics, batch->nets[i], looks < LOOKS_AT_ONCE))
			continue;
		buffer_printf(sql, "%s%u",
					  looks++ ? ", "
							  : "SELECT c.oid, c.reltuples::int8, pg_relation_size(c.oid) >"
								" 2 * c.relpages::int8 * current_setting('block_size')::int8 + 1048576"
								" FROM pg_class c WHERE c.oid IN (",
					  batch->nets[i]->shape->table->target.oid);
	}
	if (looks > 0)
		buffer_printf(sql, ")");
	return looks > 0;
}

void
statistics_take(struct statistics *statistics, uint32_t oid, int64_t rows, bool outgrown)
{
	struct statistics_target *entry = target_of(statistics, oid);
	/* Outgrown again it has doubled, or only its owner may analyze it. */
	int64_t least = outgrown ? 2 * entry->limit : 0;

	if (least < STATISTICS_ROWS)
		least = STATISTICS_ROWS;
	entry->limit = rows > least ? rows : least;
	entry->outgrown = outgrown;
}

/* One column is enough to count the rows; merges do not use statistics of the others. */
bool
statistics_put_analyze(struct statistics *statistics, const struct net_change *net, struct buffer *sql)
{
	const struct shape *shape = net->shape;
	struct statistics_target *entry = target_of(statistics, shape->table->target.oid);

	if (!entry->outgrown)
		return false;
	entry->outgrown = false;
	buffer_printf(sql, "ANALYZE ");
	sql_qualified(sql, shape->table->target_schema, shape->table->target_name);
	if (shape->fed_count > 0) {
		buffer_printf(sql, " (");
		sql_identifier(sql, shape->fed[shape->key_count > 0 ? shape->key[0] : 0].target->name);
		buffer_printf(sql, ")");
	}
	return true;
}
