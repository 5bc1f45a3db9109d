/*
 * The destination as a server: which it is, and whether this user may create and write what the task
 * needs.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "precheck_item.h"
#include "servers/server_session.h"

struct database_rights {
	bool read_only;
	bool superuser;
	bool create;
	bool temp;
	bool state_schema; /* the schema sluice exists */
	bool state_usage;
	bool state_create;
	bool state_missing; /* one of the tables in it does not exist */
	bool state_write;
};

static bool
read_rights(struct precheck_context *c, struct database_rights *r, struct error *err)
{
	static const char sql[] =
		"SELECT current_setting('transaction_read_only') = 'on',"
		" (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
		" has_database_privilege(current_database(), 'CREATE'),"
		" has_database_privilege(current_database(), 'TEMP'), n.oid IS NOT NULL,"
		" has_schema_privilege(n.oid, 'USAGE'), has_schema_privilege(n.oid, 'CREATE'), count(t.oid) < 4,"
		" coalesce(bool_and(has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')"
		" AND has_table_privilege(t.oid, 'UPDATE') AND has_table_privilege(t.oid, 'DELETE')), true)"
		" FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = 'sluice'"
		" LEFT JOIN pg_class t ON t.relnamespace = n.oid AND t.relname IN ('progress', 'tables', "
		"'unfinished', 'selection')"
		" GROUP BY n.oid";
	struct result *res;

	if (!connection_execute(c->destination, sql, NULL, 0, &res, err))
		return false;
	*r = (struct database_rights){
		.read_only = result_bool(res, 0, 0),
		.superuser = result_bool(res, 0, 1),
		.create = result_bool(res, 0, 2),
		.temp = result_bool(res, 0, 3),
		.state_schema = result_bool(res, 0, 4),
		.state_usage = result_bool(res, 0, 5),
		.state_create = result_bool(res, 0, 6),
		.state_missing = result_bool(res, 0, 7),
		.state_write = result_bool(res, 0, 8),
	};
	result_free(res);
	return true;
}

static void
check_state_rights(struct precheck_context *c, const struct database_rights *r)
{
	if (!r->state_schema && !r->create)
		precheck_add(
			c, CHECK_FAILED, "rights", "destination",
			"the schema sluice for the task's state cannot be made: GRANT CREATE ON DATABASE %s TO %s",
			precheck_database(c, c->destination), precheck_role(c, c->destination));
	else if (r->state_schema && (!r->state_usage || (r->state_missing && !r->state_create)))
		precheck_add(c, CHECK_FAILED, "rights", "destination",
					 "the schema sluice cannot be used: GRANT USAGE, CREATE ON SCHEMA sluice TO %s",
					 precheck_role(c, c->destination));
	else if (!r->state_write)
		precheck_add(c, CHECK_FAILED, "rights", "destination",
					 "the task's state cannot be written: GRANT SELECT, INSERT, UPDATE, DELETE ON"
					 " ALL TABLES IN SCHEMA sluice TO %s",
					 precheck_role(c, c->destination));
}

/* ---- schemas of targets that are to be made */

struct schema {
	char *name;
	bool create;
};

static int
compare_schemas(const void *a, const void *b)
{
	return strcmp(((const struct schema *) a)->name, ((const struct schema *) b)->name);
}

static bool
read_schemas(struct precheck_context *c, struct schema **schemas, unsigned *count, struct error *err)
{
	struct result *res;

	if (!connection_execute(c->destination,
							"SELECT nspname, has_schema_privilege(oid, 'CREATE') AND"
							" has_schema_privilege(oid, 'USAGE') FROM pg_namespace",
							NULL, 0, &res, err))
		return false;
	*count = result_rows(res);
	*schemas = arena_alloc(&c->memory, *count * sizeof **schemas);
	for (unsigned i = 0; i < *count; i++)
		(*schemas)[i] =
			(struct schema){arena_strdup(&c->memory, result_text(res, i, 0)), result_bool(res, i, 1)};
	result_free(res);
	qsort(*schemas, *count, sizeof **schemas, compare_schemas);
	return true;
}

static void
check_schema(struct precheck_context *c, const struct table *table, const struct schema *schema,
			 const struct database_rights *r)
{
	if (!schema && !r->create)
		precheck_add(c, CHECK_FAILED, "rights", precheck_target_name(c, table),
					 "its schema is missing and cannot be made: GRANT CREATE ON DATABASE %s TO %s",
					 precheck_database(c, c->destination), precheck_role(c, c->destination));
	else if (schema && !schema->create)
		precheck_add(c, CHECK_FAILED, "rights", precheck_target_name(c, table),
					 "it is missing and cannot be made: GRANT USAGE, CREATE ON SCHEMA %s TO %s",
					 precheck_schema(c, table->target_schema), precheck_role(c, c->destination));
}

static bool
check_schemas(struct precheck_context *c, const struct database_rights *r, struct error *err)
{
	struct schema *schemas;
	unsigned count;

	if (!c->config->schema.create)
		return true;
	if (!read_schemas(c, &schemas, &count, err))
		return false;
	for (unsigned i = 0; i < c->catalog->count; i++) {
		const struct table *table = &c->catalog->tables[i];
		struct schema wanted = {.name = table->target_schema};

		if (!table->target.exists)
			check_schema(c, table, bsearch(&wanted, schemas, count, sizeof *schemas, compare_schemas), r);
	}
	return true;
}

/* Reports the dialect, and whether it was detected or configured. */
static void
check_dialect(struct precheck_context *c)
{
	const struct dialect *detected = c->session->detected;

	if (detected == c->dialect)
		precheck_add(c, CHECK_OK, "dialect", "destination", "%s: %s", c->dialect->name, c->session->found);
	else
		precheck_add(c, CHECK_WARNING, "dialect", "destination",
					 "%s, as destination.dialect says; the server is %s, which is %s", c->dialect->name,
					 c->session->found, detected ? detected->name : "none of the known dialects");
}

static void
check_settings(struct precheck_context *c)
{
	if (c->session->refused[0])
		precheck_add(c, CHECK_WARNING, "settings", "destination",
					 "the server refuses to set these in a session of this role, which does without them and"
					 " may be slower for it: %s",
					 c->session->refused);
}

/* The temporary schemas of one server, which is a row: content, address, port, names. */
static void
add_leftovers(struct precheck_context *c, const struct result *res, unsigned row)
{
	bool has_session_role = connection_server_version(c->destination) < 100000;

	if (result_int(res, row, 0) < 0)
		precheck_add(
			c, CHECK_WARNING, "leftovers", "destination",
			"crashes left temporary schemas of ended sessions behind, which hold space in the catalogs"
			" and are never vacuumed: a superuser removes them with DROP SCHEMA IF EXISTS %s CASCADE",
			result_text(res, row, 3));
	else
		precheck_add(
			c, CHECK_WARNING, "leftovers", "destination",
			"crashes left temporary schemas of ended sessions behind on segment %d alone: a superuser"
			" removes them in a session of that segment (host=%s port=%s options='-c %s=utility', this"
			" database) with DROP SCHEMA IF EXISTS %s CASCADE",
			(int) result_int(res, row, 0), result_text(res, row, 1), result_text(res, row, 2),
			has_session_role ? "gp_session_role" : "gp_role", result_text(res, row, 3));
}

/* A session makes its temporary schema at the coordinator and on each segment under the session's number; a crash of
 * either leaves it there.  A DROP at the coordinator does not reach a schema that only a segment has, and fails at a
 * segment that lacks one, unless it says IF EXISTS.  The query's arrays are read at the coordinator; in a join or EXISTS,
 * Greenplum 7 reads these catalogs on the segments. */
static bool
check_leftovers(struct precheck_context *c, struct error *err)
{
	static const char sql[] =
		"SELECT n.content, s.address, s.port, string_agg(n.nspname, ', ' ORDER BY n.nspname) FROM"
		" (SELECT -1 AS content, nspname FROM pg_namespace"
		"  UNION ALL SELECT gp_segment_id, nspname FROM gp_dist_random('pg_namespace')"
		"  WHERE nspname <> ALL (ARRAY (SELECT m.nspname FROM pg_namespace m))) n"
		" JOIN gp_segment_configuration s ON s.content = n.content AND s.role = 'p'"
		" WHERE n.nspname ~ '^pg_(toast_)?temp_[1-9][0-9]*$'"
		" AND substring(n.nspname from '[0-9]+$')::int8 <> ALL (ARRAY (SELECT a.sess_id FROM "
		"pg_stat_activity a))"
		" GROUP BY n.content, s.address, s.port ORDER BY n.content";
	struct result *res;

	if (!c->dialect->has_segments || !c->precheck->from_outside)
		return true;
	if (!connection_execute(c->destination, sql, NULL, 0, &res, err)) {
		/* a member of the family that has no such columns, or does not show them */
		bool is_unknown = strncmp(err->sqlstate, "42", 2) == 0;

		if (is_unknown)
			log_debug("temporary schemas are not looked for: %s", err->message);
		return is_unknown;
	}
	for (unsigned i = 0; i < result_rows(res); i++)
		add_leftovers(c, res, i);
	result_free(res);
	return true;
}

bool
precheck_destination(struct precheck_context *c, struct error *err)
{
	struct database_rights rights;

	check_dialect(c);
	check_settings(c);
	if (!check_leftovers(c, err) || !read_rights(c, &rights, err))
		return false;
	if (rights.read_only)
		precheck_add(c, CHECK_FAILED, "writable", "destination",
					 "it is a standby or set to read only: name the primary in destination.conninfo");
	if (rights.superuser)
		precheck_add(c, CHECK_WARNING, "superuser", "destination",
					 "sluice logs in as a superuser there, so that no missing right limits it: the role needs"
					 " no more than docs/security.md lists");
	if (!rights.temp)
		precheck_add(c, CHECK_FAILED, "rights", "destination",
					 "temporary tables cannot be made: GRANT TEMPORARY ON DATABASE %s TO %s",
					 precheck_database(c, c->destination), precheck_role(c, c->destination));
	check_state_rights(c, &rights);
	return check_schemas(c, &rights, err);
}
