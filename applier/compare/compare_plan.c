#include "compare_plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "compare_value.h"
#include "tables/mapping.h"

/* Rows in a bucket: few enough to fetch and compare one by one. */
#define BUCKET_ROWS 500

static void
find_key(struct compare_plan *plan)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned count = table_match_key(plan->table, key);

	for (unsigned i = 0; i < count; i++) {
		unsigned pair = 0;

		while (pair < plan->pair_count && plan->pairs[pair].source != &plan->table->source.columns[key[i]])
			pair++;
		if (pair == plan->pair_count) {
			plan->key_count = 0;
			return;
		}
		plan->key[plan->key_count++] = pair;
	}
}

static unsigned
choose_digits(const struct table *table)
{
	int64_t buckets = table->source.estimated_rows / BUCKET_ROWS;

	return buckets <= 256 ? 2 : buckets <= 4096 ? 3 : 4;
}

static void
carry_others(struct compare_plan *plan)
{
	const struct table *table = plan->table;

	plan->carried_count = plan->pair_count;
	for (unsigned i = 0; mapping_where(table) && i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];

		if (!mapping_find_target(table, source->name))
			plan->pairs[plan->carried_count++] = (struct compare_pair){source, NULL};
	}
}

void
compare_plan_init(struct compare_plan *plan, const struct table *table, bool same_encoding,
				  int destination_version)
{
	*plan = (struct compare_plan){
		.table = table,
		.pairs = memory_alloc_zero(table->source.column_count, sizeof *plan->pairs),
		.bucket_digits = choose_digits(table),
		.convert = !same_encoding,
		.target_tree = table->target.partitioned && destination_version >= 120000,
	};
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];
		const struct target_column *target = mapping_find_target(table, source->name);

		if (!target)
			continue;
		plan->pairs[plan->pair_count++] = (struct compare_pair){source, target};
		/* Since PostgreSQL 12 floats are printed with the fewest digits that are exact. */
		plan->round_floats |=
			destination_version < 120000 && compare_value_prints_floats(&plan->pairs[plan->pair_count - 1]);
	}
	carry_others(plan);
	find_key(plan);
}

void
compare_plan_fini(struct compare_plan *plan)
{
	free(plan->pairs);
	plan->pairs = NULL;
}
