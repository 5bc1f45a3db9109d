#include "batch_order.h"

#include "base/sql.h"
#include "tables/mapping.h"

/* ---- TRUNCATE */

static bool
is_truncated(const struct net_change *net, bool restart)
{
	return net->truncated && !net->left_out && (!restart || net->restart_identity);
}

static unsigned
count_truncated(const struct batch *batch, bool restart)
{
	unsigned count = 0;

	for (unsigned i = 0; i < batch->net_count; i++)
		count += is_truncated(batch->nets[i], restart);
	return count;
}

/* One statement truncates all tables, since foreign keys may connect them. RESTART IDENTITY applies to a whole
 * statement, so the tables with it are truncated once more in another one. */
static struct merge_step *
truncate(struct batch *batch, bool restart)
{
	unsigned count = count_truncated(batch, restart), written = 0;
	struct merge_step *step;
	struct buffer sql;

	if (count == 0 || (!restart && count == count_truncated(batch, true)))
		return NULL;
	sql_init(&sql);
	for (unsigned i = 0; i < batch->net_count; i++) {
		if (!is_truncated(batch->nets[i], restart))
			continue;
		buffer_printf(&sql, written++ ? ", " : "TRUNCATE ");
		mapping_put_target_rows(&sql, batch->nets[i]->shape->table);
	}
	buffer_printf(&sql, restart ? " RESTART IDENTITY" : "");
	step = arena_alloc_zero(&batch->arena, sizeof *step);
	*step = (struct merge_step){
		.kind = MERGE_TRUNCATE,
		.sql = arena_strdup(&batch->arena, sql_text(&sql)),
		.entry = ENTRY_NONE,
	};
	buffer_fini(&sql);
	return step;
}

static struct merge_step *
plan_truncates(struct batch *batch)
{
	struct merge_step *plain = truncate(batch, false), *restarting = truncate(batch, true);

	if (!plain)
		return restarting;
	plain->next = restarting;
	return plain;
}

/* ---- the tables' plans */

void
batch_order_init(struct batch_order *order, struct batch *batch, const struct dialect *dialect,
				 enum merge_manner manner, struct stagings *stagings)
{
	for (unsigned i = 0; i < batch->net_count; i++)
		batch->nets[i]->left_out |= batch_leaves_out(batch, batch->nets[i]->shape->table);
	*order = (struct batch_order){
		.batch = batch,
		.dialect = dialect,
		.manner = manner,
		.stagings = stagings,
		.plans = arena_alloc_zero(&batch->arena, (batch->net_count + 1) * sizeof *order->plans),
		.next = plan_truncates(batch),
	};
}

/* Goes to the next table of this phase. A table's plan is made when the table is reached: by then the steps of the
 * tables before it are being executed. */
static bool
enter_net(struct batch_order *order, struct error *err)
{
	const struct net_change *net = order->batch->nets[order->net];
	struct merge_plan *plan = &order->plans[order->net++];

	if (net->left_out)
		return true;
	if (order->phase == MERGE_FETCH &&
		!merge_plan_build(plan, net, order->dialect, order->manner,
						  stagings_of(order->stagings, net->shape->number), &order->batch->arena, err)) {
		error_about_table(err, net->shape->table->source.schema, net->shape->table->source.name);
		return error_context(err, "merging into %s.%s", net->shape->table->target_schema,
							 net->shape->table->target_name);
	}
	order->next = plan->phases[order->phase].first;
	return true;
}

bool
batch_order_next(struct batch_order *order, struct merge_step **step, struct error *err)
{
	while (!order->next && order->phase < MERGE_PHASES) {
		if (order->net < order->batch->net_count) {
			if (!enter_net(order, err))
				return false;
		} else {
			order->phase++;
			order->net = 0;
		}
	}
	*step = order->next;
	if (order->next)
		order->next = order->next->next;
	return true;
}
