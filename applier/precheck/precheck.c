#include "precheck.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/printable.h"
#include "base/sql.h"
#include "precheck_item.h"
#include "quote.h"
#include "schema/schema_watch.h"
#include "servers/creation_remarks.h"
#include "servers/target.h"
#include "state/forget.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "state/task_lock.h"

/* ---- names */

/* clang-format off */
static const char *const names[] = {
	"connection", "standby", "version", "failover", "wal_level", "timeouts", "wal_retention", "encoding", "slots", "walsenders",
	"role", "plugin", "slot", "progress", "state", "dialect", "settings", "leftovers", "writable", "rights", "spill_directory", "selection",
	"target", "names", "columns", "types", "where", "identity", "key", "distribution", "triggers", "held", "vacuum", "contents",
	"table", "definitions", "superuser",
};
/* clang-format on */

#define NAME_COUNT (sizeof names / sizeof names[0])

_Static_assert(NAME_COUNT <= 64, "struct check_set has a bit for each");

static uint64_t
bit_of(const char *name)
{
	for (unsigned i = 0; i < NAME_COUNT; i++)
		if (strcmp(names[i], name) == 0)
			return UINT64_C(1) << i;
	return 0;
}

bool
precheck_ignore(struct check_set *set, const char *name, struct error *err)
{
	char list[ERROR_HINT_MAX] = "";
	size_t len = 0;

	set->bits |= bit_of(name);
	if (bit_of(name) != 0)
		return true;
	for (unsigned i = 0; i < NAME_COUNT; i++)
		len += (size_t) snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", names[i]);
	return error_set(err, ERROR_CONFIG, "--ignore takes the name of a check (%s), not \"%s\"", list, name);
}

/* ---- the list */

void
precheck_add(struct precheck_context *c, enum check_outcome outcome, const char *name, const char *subject,
			 const char *fmt, ...)
{
	struct precheck *precheck = c->precheck;
	bool ignored = outcome == CHECK_WARNING && precheck->ignored.bits & bit_of(name);
	struct check_item *item;
	char *message;
	va_list args;

	if (ignored)
		outcome = CHECK_OK;

	va_start(args, fmt);
	message = memory_vprintf(fmt, args);
	va_end(args);
	/* The array grows when its size is a power of two. */
	if ((precheck->count & (precheck->count - 1)) == 0)
		precheck->items = memory_resize(precheck->items, precheck->count ? 2 * precheck->count : 1,
										sizeof *precheck->items);
	item = &precheck->items[precheck->count++];
	*item = (struct check_item){
		.outcome = outcome,
		.ignored = ignored,
		.name = memory_strdup(name),
		.subject = memory_strdup(subject ? subject : ""),
		.message = message,
		.oid = c->about ? c->about->source.oid : 0,
	};
	precheck->warnings += outcome == CHECK_WARNING;
	precheck->failures += outcome == CHECK_FAILED;
}

static const char *
outcome_name(enum check_outcome outcome)
{
	switch (outcome) {
	case CHECK_OK:
		return "ok";
	case CHECK_WARNING:
		return "warning";
	case CHECK_FAILED:
		break;
	}
	return "failed";
}

void
precheck_print(const struct precheck *precheck)
{
	for (unsigned i = 0; i < precheck->count; i++) {
		const struct check_item *item = &precheck->items[i];

		char *line =
			memory_printf("%-7s  %-15s  %s%s%s%s", outcome_name(item->outcome), item->name, item->subject,
						  item->subject[0] ? ": " : "", item->ignored ? "ignored: " : "", item->message);

		/* A line break in a name must not look like another check. */
		for (char *c = line; *c; c++)
			if (iscntrl((unsigned char) *c))
				*c = ' ';
		printable_write(stdout, line, strlen(line));
		putchar('\n');
		free(line);
	}
	fflush(stdout);
}

void
precheck_print_json(const struct precheck *precheck, const char *task)
{
	struct buffer out;

	memory_buffer_init(&out);
	buffer_printf(&out, "{\"task\":");
	json_string(&out, task);
	buffer_printf(&out, ",\"passed\":%s,\"checks\":[", precheck->failures == 0 ? "true" : "false");
	for (unsigned i = 0; i < precheck->count; i++) {
		const struct check_item *item = &precheck->items[i];

		buffer_printf(&out, "%s{\"outcome\":\"%s\",\"ignored\":%s,\"name\":", i ? "," : "",
					  outcome_name(item->outcome), item->ignored ? "true" : "false");
		json_string(&out, item->name);
		buffer_printf(&out, ",\"subject\":");
		json_string(&out, item->subject);
		buffer_printf(&out, ",\"message\":");
		json_string(&out, item->message);
		buffer_put_u8(&out, '}');
	}
	buffer_printf(&out, "]}\n");
	printable_write(stdout, (const char *) out.data, out.len);
	buffer_fini(&out);
	fflush(stdout);
}

bool
precheck_error(const struct precheck *precheck, struct error *err)
{
	const struct check_item *item = precheck->items;

	while (item->outcome != CHECK_FAILED)
		item++;
	return precheck_item_error(item, precheck->failures - 1, err);
}

bool
precheck_item_error(const struct check_item *item, unsigned more, struct error *err)
{
	error_set(err, ERROR_PRECONDITION, "%s: %s%s%s", item->name, item->subject, item->subject[0] ? ": " : "",
			  item->message);
	if (more > 0)
		error_hint(err, "This and %u more failed; \"sluice check\" lists all.", more);
	return false;
}

void
precheck_free(struct precheck *precheck)
{
	for (unsigned i = 0; i < precheck->count; i++) {
		free(precheck->items[i].name);
		free(precheck->items[i].subject);
		free(precheck->items[i].message);
	}
	free(precheck->items);
	*precheck = (struct precheck){0};
}

/* ---- what the parts share */

static const char *
quoted(struct precheck_context *c, const char *name)
{
	struct buffer text;
	const char *copy;

	sql_init(&text);
	quote_identifier(&text, name);
	copy = arena_strdup(&c->memory, sql_text(&text));
	buffer_fini(&text);
	return copy;
}

const char *
precheck_role(struct precheck_context *c, const struct connection *conn)
{
	return quoted(c, connection_user(conn));
}

const char *
precheck_database(struct precheck_context *c, const struct connection *conn)
{
	return quoted(c, connection_database(conn));
}

const char *
precheck_schema(struct precheck_context *c, const char *schema)
{
	return quoted(c, schema);
}

const char *
precheck_table_name(struct precheck_context *c, const struct table *table)
{
	return sql_table_name(&c->memory, table->source.schema, table->source.name);
}

/* For a partitioned table, the replica identity of its leaves is in effect. */
const char *
precheck_full_identity(struct precheck_context *c, const struct table *table)
{
	struct buffer sql;
	const char *text;

	if (table->source.partitioned)
		return "ALTER TABLE … REPLICA IDENTITY FULL for each of its partitions, whose identity counts";
	memory_buffer_init(&sql);
	buffer_printf(&sql, "ALTER TABLE %s REPLICA IDENTITY FULL", precheck_table_name(c, table));
	text = arena_strdup(&c->memory, sql_text(&sql));
	buffer_fini(&sql);
	return text;
}

const char *
precheck_target_name(struct precheck_context *c, const struct table *table)
{
	return sql_table_name(&c->memory, table->target_schema, table->target_name);
}

bool
precheck_is_fresh(const struct precheck_context *c)
{
	return !c->progress->exists || c->progress->applied_lsn == 0;
}

bool
precheck_will_copy(const struct precheck_context *c, const struct table *table)
{
	bool copied = !table_waits(table);

	return c->config->initial_copy.mode == COPY_MODE_FULL && (precheck_is_fresh(c) || !copied);
}

/* ---- the parts */

static void
check_connection(struct precheck_context *c, const char *name, const struct connection *conn)
{
	precheck_add(c, CHECK_OK, "connection", name, "%s", connection_target(conn));
}

static void
report_unreached(struct precheck_context *c, const char *name, const struct error *why)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (!why) {
		precheck_add(c, CHECK_OK, "connection", name, "can be reached");
		return;
	}
	error_clause(why, sentence, sizeof sentence);
	precheck_add(c, CHECK_FAILED, "connection", NULL, "%s", sentence);
}

void
precheck_unreachable(struct precheck *precheck, const struct error *source, const struct error *destination)
{
	struct precheck_context c = {.precheck = precheck};

	report_unreached(&c, "source", source);
	report_unreached(&c, "destination", destination);
}

/* Whether `run` could create a missing directory. */
static bool
can_be_made(struct precheck_context *c, const char *directory)
{
	return access(directory, F_OK) != 0 &&
		   access(dirname(arena_strdup(&c->memory, directory)), W_OK | X_OK) == 0;
}

/*
 * Only a warning: a task works without the directory, but then receives large transactions only when they
 * commit.
 */
static void
check_spill_directory(struct precheck_context *c)
{
	const char *directory = c->config->apply.spill_directory;
	struct error err;
	int reason;

	if (!folder_check(directory, &err)) {
		precheck_add(
			c, CHECK_WARNING, "spill_directory", NULL,
			"%s: the verbs that steer a running daemon would not"
			" reach this task's; let apply.spill_directory name a folder that only this user can write to",
			err.message);
		return;
	}
	if (access(directory, W_OK | X_OK) == 0) {
		precheck_add(c, CHECK_OK, "spill_directory", NULL, "%s", directory);
		return;
	}
	reason = errno;
	if (can_be_made(c, directory))
		precheck_add(c, CHECK_OK, "spill_directory", NULL, "%s, which run will make", directory);
	else
		precheck_add(
			c, CHECK_WARNING, "spill_directory", NULL,
			"%s cannot be written (%s): large transactions would be received at their commit, not while"
			" they are open; make it, or set apply.spill_directory",
			directory, strerror(reason));
}

static bool
report_forgotten(struct precheck_context *c, struct error *err)
{
	struct forgotten *found;
	unsigned count;

	if (!forget_find(c->destination, c->config->task, c->catalog, &c->memory, &found, &count, err))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (found[i].state == TABLE_DROPPED)
			continue;
		precheck_add(
			c, CHECK_WARNING, "state", sql_table_name(&c->memory, found[i].schema, found[i].name),
			"it was dropped at the source, or is not selected any more: run will forget it, and leave"
			" its target as it is");
	}
	return true;
}

/*
 * Reads the state of each table. Failing to match the stored rows with the tables is reported as a failed
 * check.
 */
static bool
read_states(struct precheck_context *c, struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct error problem;

	if (!c->progress->exists)
		return true;
	if (c->catalog->states_read)
		return report_forgotten(c, err);
	if (state_tables_read(c->destination, c->config->task, c->catalog, &problem))
		return schema_watch_settle(c->source, NULL, c->config, c->catalog, NULL, err) &&
			   target_read_catalog(c->destination, c->dialect, c->catalog, err) && report_forgotten(c, err);
	if (problem.class != ERROR_DATA || problem.sqlstate[0] != '\0') {
		*err = problem;
		return false;
	}
	error_clause(&problem, sentence, sizeof sentence);
	precheck_add(c, CHECK_FAILED, "state", NULL, "%s", sentence);
	c->states_unknown = true;
	return true;
}

/* ---- tables dropped during the precheck */

/* A failure no longer matters once its table was dropped. */
static void
clear_failure(struct precheck_context *c, struct check_item *item)
{
	free(item->message);
	item->message = memory_strdup("it was dropped at the source a moment ago");
	item->outcome = CHECK_OK;
	c->precheck->failures--;
}

static bool
has_failures_of_tables(const struct precheck *precheck)
{
	for (unsigned i = 0; i < precheck->count; i++)
		if (precheck->items[i].outcome == CHECK_FAILED && precheck->items[i].oid)
			return true;
	return false;
}

static bool
is_listed(const struct result *res, uint32_t oid)
{
	for (unsigned i = 0; i < result_rows(res); i++)
		if ((uint32_t) result_int(res, i, 0) == oid)
			return true;
	return false;
}

/* A table that seemed to lack rights, identity or columns may have been dropped since it was listed. */
static bool
clear_failures_of_vanished(struct precheck_context *c, struct error *err)
{
	struct precheck *precheck = c->precheck;
	struct buffer oids;
	struct param param;
	struct result *res;
	bool ok;

	if (!has_failures_of_tables(precheck))
		return true;
	memory_buffer_init(&oids);
	for (unsigned i = 0; i < precheck->count; i++) {
		char number[16];

		snprintf(number, sizeof number, "%u", precheck->items[i].oid);
		if (precheck->items[i].outcome == CHECK_FAILED && precheck->items[i].oid)
			sql_array_element(&oids, number);
	}
	sql_array_end(&oids);
	param = param_text((const char *) oids.data);
	ok = connection_execute(c->source, "SELECT oid FROM pg_class WHERE oid = ANY ($1::oid[])", &param, 1,
							&res, err);
	buffer_fini(&oids);
	if (!ok)
		return false;
	for (unsigned i = 0; i < precheck->count; i++) {
		struct check_item *item = &precheck->items[i];

		if (item->outcome == CHECK_FAILED && item->oid && !is_listed(res, item->oid))
			clear_failure(c, item);
	}
	result_free(res);
	return true;
}

/* ---- all of it */

static void
add_remark(void *arg, const char *subject, const char *text)
{
	precheck_add(arg, CHECK_WARNING, "definitions", subject, "%s", text);
}

/*
 * A running daemon moves all three positions meanwhile. They are read in this order: slot, destination,
 * source; so an earlier one never appears ahead of a later one.
 */
static bool
read_positions(struct precheck_context *c, struct error *err)
{
	c->present = *c->progress;
	if (!c->precheck->identity)
		return (!c->progress->exists || progress_read(c->destination, c->config->task, &c->present, err)) &&
			   source_identify(c->source, &c->source_identity, err);
	c->source_identity = *c->precheck->identity;
	return true;
}

static bool
run_parts(struct precheck_context *c, struct error *err)
{
	check_connection(c, "source", c->source);
	check_connection(c, "destination", c->destination);
	if (!task_lock_holder(c->destination, c->config->task, &c->lock_holder, err) ||
		!source_read_slot(c->source, c->config->source.slot, &c->slot, err) || !read_positions(c, err) ||
		!precheck_source(c, err) || !precheck_slot(c, err) || !precheck_destination(c, err) ||
		!precheck_selection(c, err) || !read_states(c, err))
		return false;
	precheck_encodings(c);
	if (!precheck_letters(c, err))
		return false;
	/* Further queries with these names would fail at the destination. */
	if (c->lacks_letters)
		return true;
	if (!precheck_targets(c, err) || !precheck_feeders(c, err))
		return false;
	check_spill_directory(c);
	for (unsigned i = 0; i < c->catalog->count; i++) {
		c->about = &c->catalog->tables[i];
		precheck_table(c, c->about);
	}
	c->about = NULL;
	/* A daemon logs these remarks itself when it makes the tables. */
	if (c->precheck->from_outside)
		creation_spec_remarks(c->dialect, c->catalog, add_remark, c);
	/* If the states are unknown, rows in a target may be copied ones, so they must not be reported. */
	return precheck_enums(c, err) && precheck_where(c, err) && precheck_rights(c, err) &&
		   (c->states_unknown || precheck_contents(c, err)) && clear_failures_of_vanished(c, err);
}

bool
precheck_run(struct precheck *precheck, const struct config *config, struct connection *source,
			 const struct destination_session *destination, struct catalog *catalog,
			 const struct progress *progress, struct error *err)
{
	struct precheck_context c = {
		.precheck = precheck,
		.config = config,
		.source = source,
		.destination = destination->conn,
		.dialect = destination->dialect,
		.session = destination,
		.catalog = catalog,
		.progress = progress,
	};
	bool done;

	*precheck = (struct precheck){
		.ignored = precheck->ignored,
		.from_outside = precheck->from_outside,
		.known_names = precheck->known_names,
		.identity = precheck->identity,
	};
	arena_init(&c.memory, 16384);
	done = run_parts(&c, err);
	arena_fini(&c.memory);
	if (!done)
		precheck_free(precheck);
	return done;
}
