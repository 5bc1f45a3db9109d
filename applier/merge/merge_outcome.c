#include "merge_outcome.h"

#include <inttypes.h>

#include "base/memory.h"

static bool
explain_absent(struct error *err)
{
	return error_hint(
		err, "Something else wrote to the target, or a rule or trigger of it keeps rows from being changed."
			 " Compare both sides and copy the table again (\"sluice table resync\"); where rows"
			 " of the target are removed on purpose, set rows_may_be_absent for the table in"
			 " tables.overrides.");
}

static bool
absent(const struct merge_step *step, const struct merge_count *count, struct error *err)
{
	if (step->finding == MERGE_ROW_NAMED || (step->entry != ENTRY_NONE && count->met == 0))
		error_set(err, ERROR_DATA, "a row to update or delete was not found in the target");
	else if (count->met < count->least)
		error_set(err, ERROR_DATA,
				  "%" PRId64 " of %" PRId64 " rows to update or delete were not found in the target",
				  count->least - count->met, count->least);
	else
		error_set(err, ERROR_DATA,
				  "%" PRId64 " rows of the target were met where %" PRId64 " were to be updated or deleted",
				  count->met, count->most);
	return explain_absent(err);
}

static bool
partial(const struct merge_step *step, const struct merge_count *count, struct error *err)
{
	bool conditional = step->table->override && step->table->override->where;

	error_set(err, ERROR_DATA, "%" PRId64 " %s, and the log lacks their large values that did not change",
			  count->met,
			  conditional ? "rows came to match the table's condition"
						  : "updated rows are not in the target");
	return error_hint(
		err, "Run ALTER TABLE … REPLICA IDENTITY FULL for it on the source, and copy the table again.");
}

static bool
not_taken(const struct merge_step *step, int64_t rows, struct error *err)
{
	if (step->kind == MERGE_COPY)
		error_set(err, ERROR_DATA, "the target took %" PRId64 " of %" PRId64 " rows to insert", rows,
				  step->walk.rows);
	else
		error_set(err, ERROR_DATA, "a row to insert was not taken by the target");
	return error_hint(err, "A rule or trigger of the target keeps it from being inserted: drop that.");
}

bool
merge_outcome_take(const struct merge_step *step, int64_t rows, struct error *err)
{
	struct merge_count *count = step->count;

	if (step->kind == MERGE_COPY && rows != step->walk.rows)
		return step->finding == MERGE_ROWS_NOT_TAKEN
				   ? not_taken(step, rows, err)
				   : error_set(err, ERROR_BUG, "the destination took %" PRId64 " of %" PRId64 " rows", rows,
							   step->walk.rows);
	if (step->awaited)
		step->awaited->least += step->awaits * rows;
	if (!count)
		return true;
	count->met += rows;
	if (count->last != step || (count->met >= count->least && count->met <= count->most))
		return true;
	if (step->finding == MERGE_ROWS_PARTIAL)
		return partial(step, count, err);
	if (step->finding != MERGE_ROWS_NOT_TAKEN)
		return absent(step, count, err);
	return not_taken(step, rows, err);
}

bool
merge_outcome_can_be_named(const struct merge_step *step)
{
	return step->finding == MERGE_ROWS_ABSENT && step->entry == ENTRY_NONE && step->count &&
		   step->net->shape->match == MATCH_KEY;
}

void
merge_outcome_name_row(const struct merge_step *step, const struct result *res, struct error *err)
{
	const struct shape *shape = step->net->shape;
	struct buffer key;

	memory_buffer_init(&key);
	if (step->entry != ENTRY_NONE && shape->match == MATCH_KEY)
		copy_rows_put_key(step->net, step->entry, &key);
	for (unsigned i = 0; step->finding == MERGE_ROW_NAMED && res && i < shape->key_count; i++)
		buffer_printf(&key, "%s%s = %.100s", i ? ", " : "", shape->fed[shape->key[i]].target->name,
					  result_text(res, 0, i));
	if (key.len > 0)
		error_row(err, (const char *) key.data, (int) key.len);
	buffer_fini(&key);
}
