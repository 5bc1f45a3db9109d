/*
 * What libpq says of a connection that failed, as an error of ours.  It gives no
 * SQLSTATE for it, so what another try cannot mend is told by the wording.
 */
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "connection_parts.h"

/* Removes every "what" from the text. */
static void
cut(char *text, const char *what)
{
	char *found;

	while ((found = strstr(text, what)))
		memmove(found, found + strlen(what), strlen(found + strlen(what)) + 1);
}

/* One line of libpq's message, behind those that came before it. */
static void
add_line(char *out, size_t out_bytes, const char *line, size_t len)
{
	size_t used = strlen(out);

	if (len > 0)
		snprintf(out + used, out_bytes - used, "%s%.*s", used ? "; " : "", (int) len, line);
}

void
connection_reason(PGconn *pg, char *out, size_t out_bytes)
{
	const char *line = PQerrorMessage(pg);

	out[0] = '\0';
	while (*line) {
		size_t len = strcspn(line, "\n");

		/* An indented line is libpq's question whether the server is running there. */
		if (line[0] != '\t')
			add_line(out, out_bytes, line, len);
		line += len + (line[len] == '\n');
	}
	cut(out, "FATAL:  ");
	cut(out, "ERROR:  ");
}

struct refusal {
	const char *wording;
	enum error_class class;
	const char *hint;
};

/* The first that fits counts. */
static const struct refusal refusals[] = {
	{"no password supplied", ERROR_DATA,
	 "Give it in the passfile, the service file, PGPASSWORD or the conninfo."},
	{"password authentication failed", ERROR_DATA,
	 "Correct user or password in the passfile, the service file, PGPASSWORD or the conninfo."},
	{"authentication failed", ERROR_DATA, "Correct the user in the conninfo, or pg_hba.conf there."},
	{"pg_hba.conf", ERROR_DATA,
	 "Let pg_hba.conf there admit this user from this host, and reload that server."},
	{"is not permitted to log in", ERROR_DATA, "ALTER ROLE … LOGIN there."},
	{"must be superuser or replication role", ERROR_DATA, "ALTER ROLE … REPLICATION there."},
	{"permission denied to start WAL sender", ERROR_DATA, "ALTER ROLE … REPLICATION there."},
	{"permission denied", ERROR_DATA, "GRANT CONNECT ON DATABASE … there."},
	{"not permitted", ERROR_DATA, "Correct the user in the conninfo."},
	{"does not support SSL", ERROR_DATA, "Correct sslmode in the conninfo, or enable SSL there."},
	{"does not exist", ERROR_DATA, "Correct the conninfo, or create it there."},
	{"Connection refused", ERROR_RETRY, "Start that server, or correct host and port in the conninfo."},
	{"No such file or directory", ERROR_RETRY,
	 "Start that server, or correct host and port in the conninfo."},
	{"could not translate host name", ERROR_RETRY, "Correct the host in the conninfo."},
	{"timeout expired", ERROR_RETRY, "Look whether that server runs, and whether this host can reach it."},
};

/* Said before any server is asked. */
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

void
connection_refused(PGconn *pg, const char *name, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX - 100];

	connection_reason(pg, reason, sizeof reason);
	if (blames_conninfo(reason)) {
		error_set(err, ERROR_CONFIG, "cannot connect to the %s: %s", name, reason);
		error_hint(err, "Correct %s.conninfo.", name);
		return;
	}
	error_set(err, ERROR_RETRY, "cannot connect to the %s: %s", name, reason);
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		if (!strstr(reason, refusals[i].wording))
			continue;
		err->class = refusals[i].class;
		error_hint(err, "%s", refusals[i].hint);
		return;
	}
}

/* ---- before any attempt */

/* An unescaped @ or / in the password of a URI: libpq would take what follows for the host, and print it. */
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
 * The keyword that libpq does not know and that resembles one that it knows;
 * what resembles none may be a piece of a password and is not shown.
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
		/* libpq's own message may quote the string, and with it a password. */
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
