/*
 * Folds whatever decodes and plans its merge.  The first byte says what the
 * targets are like, messages without a frame follow.
 */
#include <stdlib.h>

#include "merge/merge_plan.h"

#define MAX_RELATIONS 8
#define OUT_BYTES ((size_t) 1 << 24)

enum target_bits {
	TARGET_HAS_MORE = 1,
	TARGET_HAS_UNIQUE = 2,
	TARGET_HAS_TRIGGERS = 4,
	TARGET_IS_PARTITIONED = 8,
	TARGET_IS_GREENPLUM = 16,
	TARGET_TAKES_NO_INSERTS = 32,
	TARGET_COMPUTES_LAST = 64,
	TARGET_KEEPS_DELETED = 128,
};

struct followed {
	const struct change_relation *relation;
	struct table table;
	struct shape shape;
	struct net_change net;
	struct staging staging;
};

struct fuzz {
	uint8_t bits;
	struct arena arena;
	struct change_decoder decoder;
	struct followed followed[MAX_RELATIONS];
	unsigned count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* ---- a target for each relation */

static void
describe_source(struct fuzz *fuzz, struct followed *f)
{
	const struct change_relation *relation = f->relation;
	struct source_table *source = &f->table.source;
	int position = 0;

	*source = (struct source_table){.identity = relation->identity, .column_count = relation->column_count};
	source->columns = arena_alloc_zero(&fuzz->arena, (relation->column_count + 1) * sizeof(*source->columns));
	for (unsigned i = 0; i < relation->column_count; i++) {
		source->columns[i].name = (char *) relation->columns[i].name;
		if (relation->columns[i].flags & COLUMN_PRIMARY)
			source->columns[i].primary_position = ++position;
	}
}

static struct target_column
text_column(const char *name)
{
	return (struct target_column){
		.name = (char *) name,
		.type = 25,
		.type_schema = (char *) "pg_catalog",
		.type_name = (char *) "text",
		.formatted = (char *) "text",
		.base_schema = (char *) "pg_catalog",
		.base_name = (char *) "text",
		.base_typtype = 'b',
	};
}

static void
describe_target(struct fuzz *fuzz, struct followed *f)
{
	const struct change_relation *relation = f->relation;
	struct target_table *target = &f->table.target;

	*target = (struct target_table){
		.exists = true,
		.partitioned = fuzz->bits & TARGET_IS_PARTITIONED,
		.has_triggers = fuzz->bits & TARGET_HAS_TRIGGERS,
	};
	target->columns = arena_alloc(&fuzz->arena, (relation->column_count + 1) * sizeof(*target->columns));
	for (unsigned i = 0; i < relation->column_count; i++)
		target->columns[target->column_count++] = text_column(relation->columns[i].name);
	if (target->column_count > 0)
		target->columns[target->column_count - 1].guarded = fuzz->bits & TARGET_HAS_UNIQUE;
	if (target->column_count > 0 && (fuzz->bits & TARGET_COMPUTES_LAST))
		target->columns[target->column_count - 1].generated = true;
	if (fuzz->bits & TARGET_HAS_MORE)
		target->columns[target->column_count++] = text_column("\1more");
}

static struct followed *
follow(struct fuzz *fuzz, const struct change_relation *relation)
{
	struct followed *f;
	struct error err;

	for (unsigned i = 0; i < fuzz->count; i++)
		if (fuzz->followed[i].relation == relation)
			return &fuzz->followed[i];
	if (fuzz->count == MAX_RELATIONS)
		return NULL;
	f = &fuzz->followed[fuzz->count];
	*f = (struct followed){.relation = relation};
	f->table.target_schema = (char *) relation->schema;
	f->table.target_name = (char *) relation->name;
	f->table.operations = OPERATION_ALL;
	if (fuzz->bits & TARGET_TAKES_NO_INSERTS)
		f->table.operations &= ~(unsigned) OPERATION_INSERT;
	if (fuzz->bits & TARGET_KEEPS_DELETED)
		f->table.operations &= ~(unsigned) OPERATION_DELETE;
	describe_source(fuzz, f);
	describe_target(fuzz, f);
	if (!shape_init(&f->shape, fuzz->count + 1, relation, &f->table, true, &err)) {
		expect(err.class != ERROR_NONE);
		shape_fini(&f->shape);
		return NULL;
	}
	net_change_init(&f->net, &f->shape, &fuzz->arena);
	fuzz->count++;
	return f;
}

/* ---- folding and planning */

static void
fold(struct fuzz *fuzz, const struct change *change)
{
	struct followed *f;
	struct error err;

	if (change->kind != CHANGE_INSERT && change->kind != CHANGE_UPDATE && change->kind != CHANGE_DELETE)
		return;
	f = follow(fuzz, change->relation);
	if (f && !net_change_add(&f->net, change, &err))
		expect(err.class == ERROR_DATA);
}

static void
check_actions(const struct net_change *net, const uint8_t *actions)
{
	for (uint32_t i = 0; i < net_change_count(net); i++) {
		if (!(actions[i] & (NET_PATCH | NET_FILL)))
			continue;
		/* Staged rows stand somewhere in the target, which still holds those that are updated. */
		expect(net->rows[i].origin < net_change_count(net));
		expect(!(actions[i] & NET_PATCH) || !(actions[net->rows[i].origin] & NET_DELETE));
		expect(!(actions[i] & NET_INSERT));
	}
}

static void
run_walk(struct merge_step *step)
{
	struct buffer out;
	bool more = true;

	buffer_init(&out, OUT_BYTES, NULL, NULL);
	check_actions(step->walk.net, step->walk.actions);
	while (more && !out.failed)
		more = copy_walk_next(&step->walk, &out, 1000);
	buffer_fini(&out);
}

static void
plan(struct fuzz *fuzz, struct followed *f)
{
	const struct dialect *dialect =
		fuzz->bits & TARGET_IS_GREENPLUM ? &dialect_greenplum6 : &dialect_postgresql;
	struct merge_plan merge;
	struct error err;

	if (!merge_plan_build(&merge, &f->net, dialect, MERGE_FAST, &f->staging, &fuzz->arena, &err))
		return;
	for (unsigned phase = 0; phase < MERGE_PHASES; phase++)
		for (struct merge_step *step = merge.phases[phase].first; step; step = step->next)
			if (step->kind == MERGE_COPY)
				run_walk(step);
}

static void
finish(struct fuzz *fuzz)
{
	for (unsigned i = 0; i < fuzz->count; i++) {
		net_change_fini(&fuzz->followed[i].net);
		shape_fini(&fuzz->followed[i].shape);
	}
	change_decoder_fini(&fuzz->decoder);
	arena_fini(&fuzz->arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct fuzz fuzz;
	struct change change;
	struct reader r;

	if (len == 0)
		return 0;
	fuzz.bits = data[0];
	fuzz.count = 0;
	arena_init(&fuzz.arena, 65536);
	if (!change_decoder_init(&fuzz.decoder))
		return 0;
	reader_init(&r, data + 1, len - 1);
	while (reader_left(&r) > 0 && change_decode(&fuzz.decoder, &r, &change))
		fold(&fuzz, &change);
	for (unsigned i = 0; i < fuzz.count; i++)
		plan(&fuzz, &fuzz.followed[i]);
	finish(&fuzz);
	return 0;
}
