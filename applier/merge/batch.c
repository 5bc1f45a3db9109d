#include "batch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

#define ARENA_CHUNK_BYTES ((size_t) 256 * 1024)

int64_t
batch_clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct batch *
batch_create(void)
{
	struct batch *batch = memory_alloc_zero(1, sizeof *batch);

	arena_init(&batch->arena, ARENA_CHUNK_BYTES);
	return batch;
}

static void
free_nets(struct batch *batch)
{
	for (unsigned i = 0; i < batch->net_count; i++) {
		batch->by_shape[batch->nets[i]->shape->number] = NULL;
		net_change_fini(batch->nets[i]);
		free(batch->nets[i]);
	}
	batch->net_count = 0;
	batch->nets_bytes = 0;
}

void
batch_destroy(struct batch *batch)
{
	if (!batch)
		return;
	free_nets(batch);
	free(batch->nets);
	free(batch->by_shape);
	arena_fini(&batch->arena);
	free(batch);
}

void
batch_reset(struct batch *batch)
{
	free_nets(batch);
	arena_reset(&batch->arena);
	batch->final = false;
	batch->end_lsn = 0;
	batch->commit_time = 0;
	batch->last_xid = 0;
	batch->last_commit_lsn = 0;
	batch->transactions = 0;
	batch->changes = 0;
	batch->started_ms = 0;
	memset(batch->spent_us, 0, sizeof batch->spent_us);
	batch->holds = NULL;
}

static void
make_room(struct batch *batch, unsigned shape_number)
{
	if (batch->net_count == batch->net_capacity) {
		batch->net_capacity = batch->net_capacity ? batch->net_capacity * 2 : 16;
		batch->nets = memory_resize(batch->nets, batch->net_capacity, sizeof(*batch->nets));
	}
	if (shape_number >= batch->by_shape_count) {
		unsigned count = (shape_number + 1) * 2;

		batch->by_shape = memory_resize(batch->by_shape, count, sizeof(*batch->by_shape));
		memset(batch->by_shape + batch->by_shape_count, 0,
			   (count - batch->by_shape_count) * sizeof(*batch->by_shape));
		batch->by_shape_count = count;
	}
}

static bool
has_shape(const struct batch *batch, const struct shape *shape)
{
	return shape->number < batch->by_shape_count && batch->by_shape[shape->number];
}

struct net_change *
batch_net(struct batch *batch, const struct shape *shape)
{
	struct net_change *net;

	if (has_shape(batch, shape))
		return batch->by_shape[shape->number];
	make_room(batch, shape->number);
	net = memory_alloc(sizeof *net);
	net_change_init(net, shape, &batch->arena);
	batch->by_shape[shape->number] = net;
	batch->nets[batch->net_count++] = net;
	return net;
}

/* The sum is stored, since it is asked for after each frame and there may be thousands of nets. */
static void
count_bytes(struct batch *batch, struct net_change *net)
{
	size_t bytes = net_change_bytes(net);

	batch->nets_bytes += bytes - net->counted_bytes;
	net->counted_bytes = bytes;
}

bool
batch_add(struct batch *batch, const struct shape *shape, const struct change *change, struct error *err)
{
	struct net_change *net = batch_net(batch, shape);
	bool added = net_change_add(net, change, err);

	batch->changes++;
	count_bytes(batch, net);
	return added;
}

bool
batch_has_other_shape(const struct batch *batch, const struct shape *shape)
{
	if (has_shape(batch, shape))
		return false;
	for (unsigned i = 0; i < batch->net_count; i++)
		if (batch->nets[i]->shape->table == shape->table)
			return true;
	return false;
}

void
batch_truncate(struct batch *batch, const struct shape *shape, bool restart_identity)
{
	struct net_change *net = batch_net(batch, shape);

	net_change_truncate(net);
	net->restart_identity |= restart_identity;
}

void
batch_hold(struct batch *batch, const struct table *table, const char *key)
{
	struct batch_hold *hold = arena_alloc_zero(&batch->arena, sizeof *hold);

	hold->table = table;
	hold->key = key && *key ? arena_strdup(&batch->arena, key) : NULL;
	hold->next = batch->holds;
	batch->holds = hold;
}

bool
batch_leaves_out(const struct batch *batch, const struct table *table)
{
	for (const struct batch_hold *hold = batch->holds; hold; hold = hold->next)
		if (table_shares_target(hold->table, table))
			return true;
	return false;
}

bool
batch_is_empty(const struct batch *batch)
{
	return batch->net_count == 0 && batch->end_lsn == 0 && !batch->holds;
}

size_t
batch_bytes(const struct batch *batch)
{
	return arena_bytes(&batch->arena) + batch->nets_bytes;
}
