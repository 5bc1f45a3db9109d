#include "schema_decision.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "pattern.h"
#include "quote.h"
#include "tables/mapping.h"

/* Names in a message are not listed beyond this length. */
#define NAMES_BYTES 700

const char schema_decision_types_gone[] = "the type of a column is gone from the source meanwhile";

static const char other_override[] = "it was renamed at the source, and has another override";
static const char old_override[] = "it was renamed at the source: give its override in the configuration the "
								   "new name; the table is then copied again";

const char *
schema_decision_rewrite_reason(enum rewrite rewrite)
{
	static const char *const reasons[] = {
		[REWRITE_NONE] = NULL,
		[REWRITE_VALUES] = "the source rewrote its rows, which is not in the stream",
		[REWRITE_PARTITIONS] =
			"partitions were attached, detached or dropped, whose rows are not in the stream",
	};

	return reasons[rewrite];
}

/* Whether a column of the definition had that name at the table's target. */
static bool
is_named_by(const struct source_table *source, const struct table *table, const char *target_name)
{
	for (unsigned i = 0; source && i < source->column_count; i++)
		if (strcmp(mapping_target_name(table, source->columns[i].name), target_name) == 0)
			return true;
	return false;
}

static void
put_own_columns(struct buffer *names, const struct table *table, const struct source_table *former)
{
	for (unsigned i = 0; i < table->target.column_count; i++) {
		const struct target_column *column = &table->target.columns[i];

		if (column->generated || mapping_find_source(table, column->name) ||
			is_named_by(former, table, column->name))
			continue;
		if (names->len > NAMES_BYTES) {
			buffer_printf(names, " and others");
			return;
		}
		buffer_printf(names, names->len ? ", " : "");
		quote_identifier(names, column->name);
	}
}

bool
schema_decision_put_lost_values(struct buffer *out, const struct table *table,
								const struct source_table *former)
{
	struct arena memory;
	struct buffer names;
	bool any;

	if (!(table->operations & OPERATION_UPDATE) || table_match_key(table, (unsigned[TABLE_MAX_KEY]){0}) > 0)
		return false;
	memory_buffer_init(&names);
	put_own_columns(&names, table, former);
	any = names.len > 0;
	arena_init(&memory, 512);
	if (any)
		buffer_printf(
			out,
			"an update would lose the values of %.*s, since %s has no key by which the row could be "
			"found: name the columns that tell its rows apart as \"key\" of tables.overrides, give it "
			"a primary key, leave update out of its \"operations\", or drop the columns there",
			(int) names.len, (const char *) names.data,
			sql_table_name(&memory, table->source.schema, table->source.name));
	arena_fini(&memory);
	buffer_fini(&names);
	return any;
}

static const char *
lost_identity(const struct table *table)
{
	if (table->source.column_count == 0)
		return "it has lost its last column: with columns and a replica identity it is copied again by "
			   "itself";
	if (table->source.partitioned)
		return "it has lost its replica identity: give it a primary key, or each of its partitions, whose "
			   "identity"
			   " counts, REPLICA IDENTITY FULL; then it is copied again by itself";
	return "it has lost its replica identity: give it a primary key, or REPLICA IDENTITY FULL; then it is "
		   "copied"
		   " again by itself";
}

bool
schema_decision_lost_key(const struct table *table, const struct source_table *former,
						 char reason[ERROR_MESSAGE_MAX])
{
	struct buffer lost;
	bool loses;

	if (table_lacks_identity(table)) {
		snprintf(reason, ERROR_MESSAGE_MAX, "%s", lost_identity(table));
		return true;
	}
	memory_buffer_init(&lost);
	loses = schema_decision_put_lost_values(&lost, table, former);
	if (loses)
		snprintf(reason, ERROR_MESSAGE_MAX, "%.*s; then it is copied again by itself", (int) lost.len,
				 (const char *) lost.data);
	buffer_fini(&lost);
	return loses;
}

static void
take(struct schema_decision *decision, enum schema_action action, const char *reason)
{
	decision->action = action;
	snprintf(decision->reason, sizeof decision->reason, "%s", reason);
}

/* ---- holding a table, with the remedy */

/* The remedy is the statements that the target needs; schema_watch_held() notices that they were executed. */
static void
hold(struct schema_decision *decision, const struct schema_case *c, const char *why)
{
	char line[ERROR_HINT_MAX];

	schema_change_line(&decision->change, c->table, line, sizeof line);
	decision->action = SCHEMA_HOLD;
	snprintf(decision->reason, sizeof decision->reason,
			 "%.900s%s%s; when the target %s.%s fits, the table is copied again by itself", why,
			 line[0] ? ": do what it needs: " : "", line, c->table->target_schema, c->table->target_name);
}

void
schema_decision_refused(struct schema_decision *decision, const struct schema_case *c,
						const struct error *refusal)
{
	char why[ERROR_MESSAGE_MAX];

	if (sqlstate_is_of_encoding(refusal->sqlstate)) {
		decision->action = SCHEMA_HOLD;
		snprintf(decision->reason, sizeof decision->reason,
				 "%.800s: give it a name in other letters at the source; then it is copied again by itself",
				 refusal->message);
		return;
	}
	snprintf(why, sizeof why, "%.800s: remove there what is in the way", refusal->message);
	hold(decision, c, why);
}

static bool
has_override(const struct config *config, const struct source_table *source)
{
	bool found = false;

	for (unsigned i = 0; !found && i < config->tables.override_count; i++) {
		struct pattern name;

		if (pattern_parse(config->tables.overrides[i].source, &name))
			continue;
		found = strcmp(name.schema.text, source->schema) == 0 && strcmp(name.table.text, source->name) == 0;
		pattern_free(&name);
	}
	return found;
}

/* Whether the configuration has an override for the table's old name, and none for its new one. */
static bool
keeps_old_override(const struct config *config, const struct source_table *stored, const struct table *table)
{
	return table->row >= TABLE_ROW_RENAMED && has_override(config, stored);
}

/* Whether the table, which had none, has come to a name with an override, whose condition may have withheld rows. */
static bool
gets_override(const struct schema_case *c)
{
	return !c->emptied && !c->table->override && !stored_definition_same_name(c->stored, &c->table->source) &&
		   has_override(c->config, &c->table->source);
}

/* Why the rows may not be cleared to be copied again; NULL: they may. */
static const char *
refuses_copy(const struct schema_case *c)
{
	if (c->config->initial_copy.mode == COPY_MODE_NONE)
		return "its rows have to be copied again, and initial_copy.mode is none: with full the table is "
			   "copied "
			   "again by itself";
	if (c->shared)
		return "its rows have to be copied again, and other tables feed the target, too: take it out with "
			   "\"sluice table remove\", delete its rows at the target, and let \"sluice table add\" bring "
			   "it "
			   "back";
	if (c->config->initial_copy.existing == COPY_EXISTING_APPEND)
		return "its rows have to be copied again, which clears the target, and initial_copy.existing is "
			   "append: "
			   "with clear the table is copied again by itself";
	return NULL;
}

/* ---- deciding */

static void
decide_by_policy(struct schema_decision *decision, const struct schema_case *c)
{
	switch (decision->change.verdict) {
	case SCHEMA_FITS:
		decision->action = SCHEMA_ADOPT;
		break;
	case SCHEMA_ALTER:
		if (c->config->schema.changes == SCHEMA_CHANGES_FOLLOW)
			decision->action = SCHEMA_EXECUTE;
		else
			hold(decision, c,
				 c->config->schema.changes == SCHEMA_CHANGES_STOP
					 ? "its definition changed, and schema.changes is stop"
					 : "its definition changed so that its rows do not fit any more");
		break;
	case SCHEMA_COPY:
		take(decision, SCHEMA_COPY_AGAIN, decision->change.reason);
		break;
	case SCHEMA_REFUSE:
		hold(decision, c, decision->change.reason);
		break;
	}
}

/* Why the table is copied again whatever the definitions are; NULL: nothing decides that. */
static const char *
find_rewrite(const struct schema_case *c)
{
	if (c->types_gone)
		return schema_decision_types_gone;
	return c->today ? schema_decision_rewrite_reason(stored_definition_rewritten(c->stored, c->today)) : NULL;
}

/* Whether something decides before the definitions are compared. */
static bool
decide_by_obstacle(struct schema_decision *decision, const struct schema_case *c)
{
	const char *reason;

	if (!c->emptied) {
		reason = gets_override(c) ? other_override : find_rewrite(c);
		if (reason)
			take(decision, SCHEMA_COPY_AGAIN, reason);
		return reason;
	}
	if (schema_decision_lost_key(c->table, c->stored, decision->reason)) {
		decision->action = SCHEMA_HOLD;
		return true;
	}
	reason = keeps_old_override(c->config, c->stored, c->table) ? old_override : refuses_copy(c);
	if (reason)
		take(decision, SCHEMA_HOLD, reason);
	return reason;
}

void
schema_decision_make(struct schema_decision *decision, const struct schema_case *c)
{
	enum schema_changes policy = c->config->schema.changes;
	struct schema_question question = {
		.dialect = c->dialect,
		.before = c->stored,
		.table = c->table,
		.values = c->values,
		.rewritten = !c->today || !stored_definition_same_files(c->stored, c->today),
		.emptied = c->emptied,
		.needed_only = policy != SCHEMA_CHANGES_FOLLOW,
		.common_only = policy == SCHEMA_CHANGES_IGNORE,
	};

	*decision = (struct schema_decision){0};
	if (decide_by_obstacle(decision, c))
		return;
	schema_change_plan(&decision->change, &question);
	decide_by_policy(decision, c);
}

void
schema_decision_make_at_start(struct schema_decision *decision, const struct config *config,
							  const struct table *table)
{
	const struct source_table *stored = table->defined;
	const char *rewritten =
		schema_decision_rewrite_reason(stored_definition_rewritten(stored, &table->source));

	*decision = (struct schema_decision){.action = SCHEMA_ADOPT};
	if (keeps_old_override(config, stored, table))
		take(decision, SCHEMA_HOLD, old_override);
	else if (table->row == TABLE_ROW_RESELECTED)
		take(decision, SCHEMA_COPY_AGAIN, other_override);
	else if (rewritten)
		take(decision, SCHEMA_COPY_AGAIN, rewritten);
}

void
schema_decision_fini(struct schema_decision *decision)
{
	schema_change_fini(&decision->change);
}
