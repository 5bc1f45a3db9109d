/*
 * Targets that others have dropped, replaced or emptied since the copy, and targets that nobody vacuums.
 */
#include "precheck_item.h"
#include "state/state_targets.h"

static void
report(struct precheck_context *c, const struct table *table, const char *what)
{
	precheck_add(c, CHECK_WARNING, "target", precheck_target_name(c, table), "%s", what);
}

/* For a server without autovacuum: warns if this program may not, or could not, vacuum the target. */
static void
check_upkeep(struct precheck_context *c, const struct table *table)
{
	const char *role = precheck_role(c, c->destination);

	if (c->dialect->has_autovacuum || c->config->apply.vacuum == VACUUM_OFF || !table->target.exists)
		return;
	if (table->target.owner)
		precheck_add(
			c, CHECK_WARNING, "vacuum", precheck_target_name(c, table),
			"it belongs to the role %s, and only its owner can vacuum it: GRANT %s TO %s, or vacuum it by a"
			" job of your own",
			precheck_schema(c, table->target.owner), precheck_schema(c, table->target.owner), role);
	else if (table->upkeep)
		precheck_add(c, CHECK_WARNING, "vacuum", precheck_target_name(c, table),
					 "%s: run VACUUM for it while there is little to apply", table->upkeep);
}

static bool
check_target(struct precheck_context *c, const struct table *table, struct error *err)
{
	bool emptied;

	switch (state_target_compare(table)) {
	case TARGET_AS_BEFORE:
		break;
	case TARGET_GONE:
		report(c, table, "it is gone, with the rows that were copied: run makes it again and copies them");
		break;
	case TARGET_REPLACED:
		report(
			c, table,
			"another table has its name now: run takes it for a target never seen, and initial_copy.existing"
			" decides about rows in there");
		break;
	case TARGET_REWRITTEN:
		if (!state_target_was_emptied(c->source, c->destination, table, &emptied, err))
			return false;
		if (emptied)
			report(c, table, "it was emptied by others: run copies the table again");
		break;
	}
	return true;
}

bool
precheck_targets(struct precheck_context *c, struct error *err)
{
	for (unsigned i = 0; i < c->catalog->count; i++) {
		if (!check_target(c, &c->catalog->tables[i], err))
			return false;
		check_upkeep(c, &c->catalog->tables[i]);
	}
	return true;
}
