/* Targets that another task writes to, too: neither task may remove the other's rows. */
#include "precheck_item.h"
#include "state/feeders.h"

static void
check_copy(struct precheck_context *c, const struct table *table, const char *feeder)
{
	if (precheck_will_copy(c, table) && c->config->initial_copy.existing != COPY_EXISTING_APPEND)
		precheck_add(
			c, CHECK_FAILED, "target", precheck_target_name(c, table),
			"the task \"%s\" feeds it, too: give the table another target in tables.overrides; or, to"
			" merge both, set initial_copy.existing to append",
			feeder);
}

static void
check_truncate(struct precheck_context *c, const struct table *table, const char *feeder)
{
	bool comes = precheck_is_fresh(c) || table_waits(table);

	if (table->operations & OPERATION_TRUNCATE)
		precheck_add(
			c, comes ? CHECK_FAILED : CHECK_WARNING, "target", precheck_target_name(c, table),
			"the task \"%s\" feeds it, too, and a TRUNCATE would take its rows%s: leave truncate out of"
			" the table's operations",
			feeder, comes ? "" : "; the table is held if one comes");
}

bool
precheck_feeders(struct precheck_context *c, struct error *err)
{
	const char **feeders;

	if (!feeders_read(c->destination, c->config->task, c->catalog, &c->memory, &feeders, err))
		return false;
	for (unsigned i = 0; i < c->catalog->count; i++) {
		const struct table *table = &c->catalog->tables[i];

		if (!feeders[i])
			continue;
		c->about = table;
		check_copy(c, table, feeders[i]);
		check_truncate(c, table, feeders[i]);
	}
	c->about = NULL;
	return true;
}
