#include "index_plan.h"

#include <stddef.h>
#include <string.h>

const struct index_wanted *
index_plan_wants(const struct index_plan *plan, const char *signature)
{
	for (unsigned i = 0; i < plan->wanted_count; i++)
		if (strcmp(plan->wanted[i].signature, signature) == 0)
			return &plan->wanted[i];
	return NULL;
}

static const struct index_row *
find_row(const struct index_plan *plan, const char *signature)
{
	for (unsigned i = 0; i < plan->row_count; i++)
		if (strcmp(plan->rows[i].signature, signature) == 0)
			return &plan->rows[i];
	return NULL;
}

bool
index_plan_knows(const struct index_plan *plan, const char *signature)
{
	return index_plan_wants(plan, signature) || find_row(plan, signature);
}

static bool
is_constraint(const struct index_row *row)
{
	return strncmp(row->definition, "CONSTRAINT ", sizeof "CONSTRAINT " - 1) == 0;
}

/* What others have made a constraint of is not ours any more. */
static bool
has_oid(const struct index_row *row, const struct index_found *found)
{
	return found->oid == row->oid && found->constraint == is_constraint(row);
}

static bool
was_made_again(const struct index_row *row, const struct index_found *found)
{
	return strcmp(found->name, row->name) == 0 && strcmp(found->definition, row->definition) == 0;
}

const struct index_found *
index_plan_find(const struct index_plan *plan, const struct index_row *row)
{
	const struct index_found *again = NULL;

	for (unsigned i = 0; i < plan->found_count; i++) {
		const struct index_found *found = &plan->found[i];

		if (row->oid == 0 && strcmp(found->name, row->name) == 0)
			return found;
		if (row->oid == 0 || found->table != plan->target)
			continue;
		if (has_oid(row, found))
			return found;
		if (was_made_again(row, found))
			again = found;
	}
	return again;
}

/* Nobody else knows the random name, but the table that had the target's name when it was built may be another one. */
static bool
is_built(const struct index_plan *plan, const struct index_found *found)
{
	return found->valid && found->table == plan->target;
}

static bool
is_as_stored(const struct index_row *row, const struct index_found *found)
{
	return found->oid == row->oid && was_made_again(row, found);
}

/* For a unique one the row keeps the OID of the index that it was made for: between that and this, rows need not be unique. */
static bool
is_remade(const struct index_wanted *wanted, const struct index_row *row, const struct index_found *found)
{
	return wanted->oid != row->source_oid && !(found && found->unique);
}

static struct index_step
step_of_row(const struct index_plan *plan, const struct index_row *row)
{
	const struct index_wanted *wanted = index_plan_wants(plan, row->signature);
	const struct index_found *found = index_plan_find(plan, row);
	struct index_step step = {.wanted = wanted, .row = row, .found = found};

	if (row->oid == 0 && found && wanted && wanted->selected && is_built(plan, found))
		step.action = INDEX_FINISH;
	else if (row->oid == 0 || !wanted)
		step.action = found ? INDEX_DROP : INDEX_FORGET;
	else if (is_remade(wanted, row, found) || (found && !is_as_stored(row, found)))
		step.action = INDEX_RENEW;
	return step;
}

static bool
rests(const struct index_plan *plan, const char *signature, enum index_action action)
{
	return plan->rests && plan->rests(plan->arg, signature, action == INDEX_DROP);
}

/* Indexes that the source has dropped may refuse rows, so they go first. */
struct index_step
index_plan_next(const struct index_plan *plan)
{
	for (unsigned i = 0; i < plan->row_count; i++) {
		struct index_step step = step_of_row(plan, &plan->rows[i]);

		if (step.action != INDEX_NOTHING && !step.wanted &&
			!rests(plan, plan->rows[i].signature, step.action))
			return step;
	}
	for (unsigned i = 0; i < plan->row_count; i++) {
		struct index_step step = step_of_row(plan, &plan->rows[i]);

		if (step.action != INDEX_NOTHING && !rests(plan, plan->rows[i].signature, step.action))
			return step;
	}
	for (unsigned i = 0; i < plan->wanted_count; i++) {
		const struct index_wanted *wanted = &plan->wanted[i];

		if (wanted->selected && !find_row(plan, wanted->signature) &&
			!rests(plan, wanted->signature, INDEX_BUILD))
			return (struct index_step){.action = INDEX_BUILD, .wanted = wanted};
	}
	return (struct index_step){.action = INDEX_NOTHING};
}

bool
index_plan_in_step(const struct index_plan *plan)
{
	for (unsigned i = 0; i < plan->row_count; i++) {
		const struct index_wanted *wanted = index_plan_wants(plan, plan->rows[i].signature);

		if (plan->rows[i].oid == 0 || !wanted || wanted->oid != plan->rows[i].source_oid)
			return false;
	}
	for (unsigned i = 0; i < plan->wanted_count; i++)
		if (plan->wanted[i].selected && !find_row(plan, plan->wanted[i].signature))
			return false;
	return true;
}

bool
index_plan_has_gone(const struct index_plan *plan)
{
	for (unsigned i = 0; i < plan->row_count; i++)
		if (!index_plan_wants(plan, plan->rows[i].signature))
			return true;
	return false;
}
