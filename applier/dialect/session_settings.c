#include "session_settings.h"

#include <stdio.h>

#define HAS_PARAMETER_PRIVILEGE 150000

/* Written with pg_catalog, so that the search path does not matter. */
#define EQUALS " OPERATOR(pg_catalog.=) "

enum session_setting_flags {
	BOTH = SESSION_SOURCE | SESSION_DESTINATION,
	YIELDS = 4, /* what the user passes in conninfo's `options` replaces this setting */
	LINUX = 8,	/* other products do not support the setting, and refuse it */
	OPTIONAL =
		16, /* optional: no value and no row depends on it, so a session goes on where the destination refuses it */
};

struct session_setting {
	const char *name;
	const char *value;
	int flags;
	int min_version;
	const char *only_if; /* a condition on pg_settings s; NULL: always */
};

/* A longer timeout is the administrator's choice; a shorter one ends a stream whose applier is briefly busy. */
#define SHORT_SENDER_TIMEOUT                                                                                 \
	"s.setting::pg_catalog.int4 OPERATOR(pg_catalog.<) 60000 AND s.setting OPERATOR(pg_catalog.<>) '0'"

static const struct session_setting settings[] = {
	/* how names and SQL text are read, and how definitions are written */
	{.name = "search_path", .value = "pg_catalog", .flags = BOTH},
	{.name = "standard_conforming_strings", .value = "on", .flags = BOTH},
	{.name = "escape_string_warning", .value = "off", .flags = BOTH},
	{.name = "backslash_quote", .value = "safe_encoding", .flags = BOTH},
	{.name = "quote_all_identifiers", .value = "off", .flags = BOTH},
	{.name = "transform_null_equals", .value = "off", .flags = BOTH},
	{.name = "operator_precedence_warning", .value = "off", .flags = BOTH},
	{.name = "sql_inheritance", .value = "on", .flags = BOTH},
	{.name = "default_with_oids", .value = "off", .flags = SESSION_DESTINATION},

	/* how values are read and written */
	{.name = "DateStyle", .value = "ISO, MDY", .flags = BOTH},
	{.name = "IntervalStyle", .value = "postgres", .flags = BOTH},
	{.name = "TimeZone", .value = "UTC", .flags = BOTH},
	{.name = "timezone_abbreviations", .value = "Default", .flags = BOTH},
	{.name = "extra_float_digits", .value = "3", .flags = BOTH},
	{.name = "bytea_output", .value = "hex", .flags = BOTH},
	{.name = "array_nulls", .value = "on", .flags = BOTH},
	{.name = "xmloption", .value = "content", .flags = BOTH},
	{.name = "xmlbinary", .value = "base64", .flags = BOTH},
	{.name = "lc_monetary", .value = "C", .flags = BOTH},
	{.name = "lc_numeric", .value = "C", .flags = BOTH},
	{.name = "lc_time", .value = "C", .flags = BOTH},
	{.name = "gp_allow_date_field_width_5digits", .value = "off", .flags = SESSION_DESTINATION},

	/* which rows a query sees: with row_security off a query fails where a policy would hide rows */
	{.name = "row_security", .value = "off", .flags = BOTH},
	{.name = "gin_fuzzy_search_limit", .value = "0", .flags = BOTH},

	/* the server's messages; their language is for people, see sqlstate.h */
	{.name = "client_min_messages", .value = "warning", .flags = BOTH | OPTIONAL},
	{.name = "lc_messages", .value = "C", .flags = BOTH | OPTIONAL},

	/* transactions; an asynchronous commit could be lost after the source was told that it is durable */
	{.name = "default_transaction_isolation", .value = "read committed", .flags = BOTH},
	{.name = "default_transaction_read_only", .value = "off", .flags = BOTH | YIELDS},
	{.name = "default_transaction_deferrable", .value = "off", .flags = BOTH},
	{.name = "synchronous_commit",
	 .value = "on",
	 .flags = SESSION_DESTINATION,
	 .only_if = "s.setting" EQUALS "'off'"},

	/* what ends a session or a statement */
	{.name = "statement_timeout", .value = "0", .flags = BOTH | OPTIONAL},
	{.name = "lock_timeout", .value = "0", .flags = BOTH | OPTIONAL},
	{.name = "idle_in_transaction_session_timeout", .value = "0", .flags = BOTH | OPTIONAL},
	{.name = "idle_session_timeout", .value = "0", .flags = BOTH | OPTIONAL},
	{.name = "transaction_timeout", .value = "0", .flags = BOTH | OPTIONAL},
	{.name = "exit_on_error", .value = "off", .flags = BOTH | OPTIONAL},
	{.name = "wal_sender_timeout",
	 .value = "60000",
	 .flags = SESSION_SOURCE | OPTIONAL,
	 .only_if = SHORT_SENDER_TIMEOUT},

	/* A session whose client was cut off or killed during a long statement keeps its locks and snapshots until the
	 * server notices. */
	{.name = "tcp_keepalives_idle", .value = "30", .flags = BOTH | OPTIONAL},
	{.name = "tcp_keepalives_interval", .value = "10", .flags = BOTH | OPTIONAL},
	{.name = "tcp_keepalives_count", .value = "3", .flags = BOTH | OPTIONAL},
	{.name = "tcp_user_timeout", .value = "60000", .flags = BOTH | OPTIONAL},
	{.name = "client_connection_check_interval", .value = "2000", .flags = BOTH | LINUX | OPTIONAL},

	/*
	 * The planner.  Statements are many and short: compiling one takes longer than it saves, and ORCA plans a small
	 * merge for longer than it runs: Greengage's for 40 ms and more, 15 times as long as the other planner, or 4 times
	 * for ten partitions.  Its updates delete and insert.  A merge finds rows by their key in pages that are mostly in
	 * memory; at the defaults every merge reads the whole target for some thousand keys.  The text of whole rows is
	 * better hashed than sorted; but before PostgreSQL 14 nothing but a sort joins by ctid.  Autostats would analyze
	 * inside a COPY.  A staging table has no statistics: without a look at its real size it is taken for one of many
	 * thousand rows, which reads targets below a million rows whole.
	 */
	{.name = "jit", .value = "off", .flags = BOTH | OPTIONAL},
	{.name = "enable_mergejoin",
	 .value = "off",
	 .flags = SESSION_DESTINATION | OPTIONAL,
	 .min_version = 140000},
	{.name = "random_page_cost", .value = "1.1", .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
	{.name = "enable_nestloop", .value = "on", .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
	{.name = "optimizer", .value = "off", .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
	{.name = "gp_autostats_mode", .value = "none", .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
	{.name = "gp_autostats_mode_in_functions",
	 .value = "none",
	 .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
	{.name = "gp_enable_relsize_collection", .value = "on", .flags = SESSION_DESTINATION | YIELDS | OPTIONAL},
};

#define SETTING_COUNT (sizeof settings / sizeof *settings)

/* ---- the statements */

/* Selects this setting alone: CASE guards it, so that no planner evaluates set_config() for another row. */
static void
put_condition(struct buffer *sql, const struct session_setting *setting, const char *condition)
{
	buffer_printf(sql, " AND CASE WHEN s.name" EQUALS "'%s' THEN %s ELSE true END", setting->name, condition);
}

static void
put_conditions(struct buffer *sql, const struct session_setting *setting)
{
	if (setting->flags & YIELDS)
		put_condition(sql, setting, "s.source OPERATOR(pg_catalog.<>) 'client'");
	if (setting->flags & LINUX)
		put_condition(sql, setting, "pg_catalog.version() OPERATOR(pg_catalog.~~) '%linux%'");
	if (setting->only_if)
		put_condition(sql, setting, setting->only_if);
}

static bool
is_for(const struct session_setting *setting, enum session_end end, int server_version)
{
	return setting->flags & (int) end && server_version >= setting->min_version;
}

static void
put_may_set(struct buffer *sql, const char *parameter, int server_version)
{
	if (server_version >= HAS_PARAMETER_PRIVILEGE)
		buffer_printf(sql, "pg_catalog.has_parameter_privilege(%s, 'SET')", parameter);
	else
		buffer_printf(sql,
					  "(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname" EQUALS "current_user)");
}

void
session_settings_put_may_set(struct buffer *sql, const char *name, int server_version)
{
	char literal[80];

	snprintf(literal, sizeof literal, "'%s'", name);
	put_may_set(sql, literal, server_version);
}

/* The settings from `first` to before `behind`; false: none of them is for this end and server. */
static bool
put_statement(struct buffer *sql, size_t first, size_t behind, enum session_end end, int server_version)
{
	const char *comma = "";

	buffer_printf(sql, "SELECT pg_catalog.set_config(s.name, v.value, false)"
					   " FROM pg_catalog.pg_settings s JOIN (VALUES ");
	for (size_t i = first; i < behind; i++) {
		if (!is_for(&settings[i], end, server_version))
			continue;
		buffer_printf(sql, "%s('%s', '%s')", comma, settings[i].name, settings[i].value);
		comma = ", ";
	}
	buffer_printf(sql, ") v (name, value) ON v.name" EQUALS "s.name"
					   " WHERE CASE WHEN s.context" EQUALS "'user' THEN true WHEN s.context" EQUALS
					   "'superuser' THEN ");
	put_may_set(sql, "s.name", server_version);
	buffer_printf(sql, " ELSE false END");
	for (size_t i = first; i < behind; i++)
		if (is_for(&settings[i], end, server_version))
			put_conditions(sql, &settings[i]);
	return *comma != '\0';
}

void
session_settings_put(struct buffer *sql, enum session_end end, int server_version)
{
	put_statement(sql, 0, SETTING_COUNT, end, server_version);
}

bool
session_settings_put_single(struct buffer *sql, unsigned place, enum session_end end, int server_version)
{
	return put_statement(sql, place, place + 1, end, server_version);
}

const char *
session_settings_name(unsigned place)
{
	return place < SETTING_COUNT ? settings[place].name : NULL;
}

bool
session_settings_is_optional(unsigned place)
{
	return settings[place].flags & OPTIONAL;
}
