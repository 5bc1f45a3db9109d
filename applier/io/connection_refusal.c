/*
 * Turns libpq's message about a failed connection into an error of ours. A server's answer to a login is
 * recognised by its SQLSTATE, so the server's language does not matter. libpq's own messages are English,
 * since this program stays in the C locale.
 */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "connection_parts.h"

/* Removes every occurrence of `what`. */
static void
cut(char *text, const char *what)
{
	char *found;

	while ((found = strstr(text, what)))
		memmove(found, found + strlen(what), strlen(found + strlen(what)) + 1);
}

/* Appends one line of libpq's message. */
static void
add_line(char *out, size_t out_bytes, const char *line, size_t len)
{
	size_t used = strlen(out);

	if (len > 0)
		snprintf(out + used, out_bytes - used, "%s%.*s", used ? "; " : "", (int) len, line);
}

static void
put_reason(const char *line, char *out, size_t out_bytes)
{
	static const char closed[] = "invalid socket";

	out[0] = '\0';
	while (*line) {
		size_t len = strcspn(line, "\n");

		/*
		 * Skipped are indented lines, in which libpq asks whether the server is running there, and libpq's
		 * complaint about the closed socket, if another reason precedes it.
		 */
		if (line[0] != '\t' && (!out[0] || len != sizeof closed - 1 || strncmp(line, closed, len) != 0))
			add_line(out, out_bytes, line, len);
		line += len + (line[len] == '\n');
	}
	cut(out, "FATAL:  ");
	cut(out, "ERROR:  ");
}

void
connection_reason(PGconn *pg, char *out, size_t out_bytes)
{
	put_reason(PQerrorMessage(pg), out, out_bytes);
}

/* ---- refused by the server */

/*
 * Finds ":  28P01: ", which follows the severity (that word is in the server's language); returns the text
 * behind it, or NULL.
 */
static const char *
find_sqlstate(const char *line, size_t len, char sqlstate[6])
{
	for (const char *c = line; c + 10 <= line + len; c++) {
		if (strncmp(c, ":  ", 3) != 0 || c[8] != ':' || c[9] != ' ' ||
			strspn(c + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
			continue;
		memcpy(sqlstate, c + 3, 5);
		sqlstate[5] = '\0';
		return c + 10;
	}
	return NULL;
}

/*
 * Finds the last answer of a server, since libpq may have tried several hosts and methods; false if no
 * server answered.
 */
static bool
last_answer(const char *message, char sqlstate[6], char *words, size_t words_bytes)
{
	bool found = false;

	while (*message) {
		size_t len = strcspn(message, "\n");
		const char *behind = find_sqlstate(message, len, sqlstate);

		if (behind) {
			snprintf(words, words_bytes, "%.*s", (int) (message + len - behind), behind);
			found = true;
		}
		message += len + (message[len] == '\n');
	}
	return found;
}

struct refusal {
	const char *sqlstate; /* a SQLSTATE, or the prefix of several */
	const char *sentence;
	const char *hint; /* %U is the user and %D the database, both quoted */
};

#define WALSENDER_RIGHT "42501"
/* Greenplum's; PostgreSQL's standbys without hot_standby answer 57P03, where libpq takes the next host itself. */
#define STANDBY_COORDINATOR "57M02"

static const struct refusal walsender_refusal = {WALSENDER_RIGHT, "the role may not replicate",
												 "ALTER ROLE %U REPLICATION there."};

/* The first entry that matches is used. */
static const struct refusal refusals[] = {
	{"28P01", "user or password is wrong",
	 "Correct user or password in the passfile, the service file, PGPASSWORD or the conninfo."},
	{"28", "the server does not let the user in",
	 "See to it that the role %U exists there and has LOGIN, and that pg_hba.conf there admits it to %D from "
	 "this "
	 "host; that server's log says more."},
	{"3D000", "there is no such database", "Correct the conninfo, or CREATE DATABASE %D there."},
	{"42501", "the user may not connect to the database", "GRANT CONNECT ON DATABASE %D TO %U there."},
	{"55000", "the database takes no connections", "ALTER DATABASE %D ALLOW_CONNECTIONS true there."},
	{"53300", "all connections of the server are taken",
	 "Raise max_connections there, or the role's CONNECTION LIMIT."},
	{"57P03", "the server is starting or stopping, or a standby that takes no connections", NULL},
	{STANDBY_COORDINATOR, "the server is in recovery, or a standby coordinator, and takes no connections",
	 NULL},
	{"42704", "the server does not know a setting in the conninfo's options",
	 "Correct options in the conninfo."},
	{"22023", "the server does not take a setting in the conninfo's options",
	 "Correct options in the conninfo."},
	{"08P01", "the server, or a pooler before it, does not understand the login",
	 "Let the conninfo lead to the server itself, past a pooler."},
	{"", "the server refuses the login", "Read that server's log."},
};

static const struct refusal *
find_refusal(const char *sqlstate, enum connection_kind kind)
{
	const struct refusal *refusal = refusals;

	if (kind == CONNECTION_REPLICATION && strcmp(sqlstate, WALSENDER_RIGHT) == 0)
		return &walsender_refusal;
	while (strncmp(sqlstate, refusal->sqlstate, strlen(refusal->sqlstate)) != 0)
		refusal++;
	return refusal;
}

static void
put_hint(const struct refusal *refusal, const struct connection_identity *identity, struct error *err)
{
	struct buffer hint;

	if (!refusal->hint)
		return;
	sql_init(&hint);
	for (const char *c = refusal->hint; *c; c++) {
		if (c[0] == '%' && (c[1] == 'U' || c[1] == 'D'))
			sql_identifier(&hint, *++c == 'U' ? identity->user : identity->database);
		else
			buffer_put_u8(&hint, (uint8_t) *c);
	}
	error_hint(err, "%s", sql_text(&hint));
	buffer_fini(&hint);
}

static void
explain_answer(const char *sqlstate, const char *words, const struct connection_login *login,
			   const struct connection_identity *identity, struct error *err)
{
	const struct refusal *refusal = find_refusal(sqlstate, login->kind);
	bool retry = sqlstate_class(sqlstate, false) == SQLSTATE_RETRY;

	error_set(err, retry ? ERROR_RETRY : ERROR_REFUSED, "cannot connect to the %s: %s (%s: %s)", login->name,
			  refusal->sentence, sqlstate, words);
	snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
	put_hint(refusal, identity, err);
}

/* ---- failures before a server answered */

/* Parts of libpq's own messages. */
static const struct {
	const char *wording;
	enum error_class class;
	const char *hint;
} troubles[] = {
	{"authentication method", ERROR_REFUSED,
	 "Correct require_auth or channel_binding in the conninfo, or pg_hba.conf there."},
	{"channel binding", ERROR_REFUSED, "Correct channel_binding in the conninfo, or pg_hba.conf there."},
	{"does not support SSL", ERROR_REFUSED, "Correct sslmode in the conninfo, or enable SSL there."},
	{"Connection refused", ERROR_RETRY, "Start that server, or correct host and port in the conninfo."},
	{"No such file or directory", ERROR_RETRY,
	 "Start that server, or correct host and port in the conninfo."},
	{"could not translate host name", ERROR_RETRY, "Correct the host in the conninfo."},
	{"timeout expired", ERROR_RETRY, "Check whether that server runs, and whether this host can reach it."},
};

/* Whether libpq rejected the conninfo itself, before asking a server. */
static bool
blames_conninfo(const char *reason)
{
	static const char *const beginnings[] = {"invalid ", "definition of service ", "service file ",
											 "syntax error in service file ", "could not match "};

	for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
		if (strncmp(reason, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static void
explain_trouble(const char *reason, const struct connection_login *login, struct error *err)
{
	error_set(err, ERROR_RETRY, "cannot connect to the %s: %s", login->name, reason);
	for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
		if (!strstr(reason, troubles[i].wording))
			continue;
		err->class = troubles[i].class;
		error_hint(err, "%s", troubles[i].hint);
		return;
	}
}

void
connection_explain_refusal(const char *message, const struct connection_login *login,
						   const struct connection_identity *identity, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX - 100], words[ERROR_MESSAGE_MAX - 300], sqlstate[6];

	put_reason(message, reason, sizeof reason);
	if (last_answer(message, sqlstate, words, sizeof words)) {
		explain_answer(sqlstate, words, login, identity, err);
	} else if (identity->needs_password) {
		error_set(err, ERROR_REFUSED, "cannot connect to the %s: no password supplied", login->name);
		error_hint(err, "Give it in the passfile, the service file, PGPASSWORD or the conninfo.");
	} else if (blames_conninfo(reason)) {
		error_set(err, ERROR_CONFIG, "cannot connect to the %s: %s", login->name, reason);
		error_hint(err, "Correct %s.conninfo.", login->name);
	} else {
		explain_trouble(reason, login, err);
	}
}

void
connection_refused(PGconn *pg, const struct connection_login *login, struct error *err)
{
	const struct connection_identity identity = {
		.user = PQuser(pg) ? PQuser(pg) : "",
		.database = PQdb(pg) ? PQdb(pg) : "",
		.needs_password = PQconnectionNeedsPassword(pg),
	};

	connection_explain_refusal(PQerrorMessage(pg), login, &identity, err);
}

bool
connection_met_standby(PGconn *pg)
{
	char sqlstate[6], words[8];

	return PQstatus(pg) != CONNECTION_OK && last_answer(PQerrorMessage(pg), sqlstate, words, sizeof words) &&
		   strcmp(sqlstate, STANDBY_COORDINATOR) == 0;
}

/* ---- before any attempt */

/*
 * Whether the password of a URI contains an unescaped @ or /. libpq would take the rest of it for the
 * host, and print it.
 */
static bool
splits_password(const char *conninfo)
{
	const char *rest;
	size_t credentials;

	if (strncmp(conninfo, "postgresql://", 13) != 0 && strncmp(conninfo, "postgres://", 11) != 0)
		return false;
	rest = strstr(conninfo, "://") + 3;
	credentials = strcspn(rest, "@/");
	if (rest[credentials] == '@')
		rest += credentials + 1;
	return rest[strcspn(rest, "@?")] == '@';
}

/*
 * If the unknown keyword resembles a known one, names both. Otherwise it is not shown, since it may be
 * part of a password.
 */
static void
name_keyword(const char *problem, struct error *err)
{
	char keyword[64];
	struct nearest nearest = {.typed = keyword};
	PQconninfoOption *known = PQconndefaults();

	if (known && sscanf(problem, "%*[^\"]\"%63[^\"]\"", keyword) == 1)
		for (PQconninfoOption *option = known; option->keyword; option++)
			nearest_offer(&nearest, option->keyword);
	PQconninfoFree(known);
	if (!nearest.name || nearest.distance == 0)
		return;
	error_set(err, ERROR_CONFIG, "the conninfo has the unknown keyword \"%s\"", keyword);
	error_hint(err, "Did you mean \"%s\"?", nearest.name);
}

bool
connection_check_conninfo(const char *conninfo, struct error *err)
{
	char *problem = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &problem);
	bool valid = options != NULL;

	PQconninfoFree(options);
	if (!valid) {
		/* libpq's message may quote the string, and the password in it. */
		error_set(err, ERROR_CONFIG, "the conninfo is not a valid connection string");
		error_hint(err, "Write it as libpq wants it: \"host=… dbname=… user=…\" or a postgresql:// URI.");
		name_keyword(problem ? problem : "", err);
		PQfreemem(problem);
		return false;
	}
	if (splits_password(conninfo)) {
		error_set(err, ERROR_CONFIG, "the conninfo is a URI whose user or password has a plain @ or /");
		return error_hint(err, "Write %%40 for @ and %%2F for / there.");
	}
	return true;
}
