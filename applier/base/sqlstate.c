#include "sqlstate.h"

#include <string.h>

#define BOTH(class) (class), (class)

/* The longest matching prefix is used. */
static const struct {
	const char *prefix;
	enum sqlstate_class postgresql, greenplum;
} classes[] = {
	{"08", BOTH(SQLSTATE_RETRY)},			 /* connection exceptions */
	{"0A", BOTH(SQLSTATE_TABLE)},			 /* feature not supported, such as a foreign key at TRUNCATE */
	{"21", BOTH(SQLSTATE_TABLE)},			 /* cardinality violation */
	{"22", BOTH(SQLSTATE_TABLE)},			 /* data exceptions */
	{"23", BOTH(SQLSTATE_TABLE)},			 /* constraints */
	{"25", BOTH(SQLSTATE_BUG)},				 /* invalid transaction state */
	{"25006", BOTH(SQLSTATE_CONFIGURATION)}, /* read-only transaction: a standby */
	{"25P03", BOTH(SQLSTATE_RETRY)},		 /* idle in transaction session timeout */
	{"25P04", BOTH(SQLSTATE_RETRY)},		 /* transaction timeout */
	{"26", BOTH(SQLSTATE_BUG)},				 /* no such prepared statement */
	{"27", BOTH(SQLSTATE_TABLE)},			 /* triggered data change violation */
	{"28", BOTH(SQLSTATE_CONFIGURATION)},	 /* invalid authorization */
	{"34", BOTH(SQLSTATE_BUG)},				 /* no such cursor */
	{"38", BOTH(SQLSTATE_TABLE)},			 /* external routine exceptions: triggers */
	{"39", BOTH(SQLSTATE_TABLE)},			 /* the same */
	{"3B", BOTH(SQLSTATE_BUG)},				 /* no such savepoint */
	{"3D", BOTH(SQLSTATE_CONFIGURATION)},	 /* no such database */
	{"3F", BOTH(SQLSTATE_TABLE)},			 /* no such schema */
	{"40", BOTH(SQLSTATE_RETRY)},			 /* serialization failure, deadlock */
	{"42", BOTH(SQLSTATE_TABLE)},			 /* undefined, duplicate or of the wrong type */
	{SQLSTATE_UNDEFINED_TABLE, SQLSTATE_TABLE, SQLSTATE_RETRY},
	{"42501", BOTH(SQLSTATE_CONFIGURATION)}, /* insufficient privilege */
	{"42601", BOTH(SQLSTATE_BUG)},			 /* syntax error */
	{"44", BOTH(SQLSTATE_TABLE)},			 /* WITH CHECK OPTION */
	{"53", BOTH(SQLSTATE_RETRY)},			 /* disk full, out of memory, too many connections */
	{"54", BOTH(SQLSTATE_TABLE)},			 /* program limits: a row too large for an index */
	{"55", BOTH(SQLSTATE_CONFIGURATION)},	 /* not in the state that it needs */
	{"55006", BOTH(SQLSTATE_RETRY)},		 /* object in use: the slot is still active */
	{"55P03", BOTH(SQLSTATE_RETRY)},		 /* lock not available */
	{"57", BOTH(SQLSTATE_RETRY)}, /* cancelled, shut down, crashed, starting, idle session timeout */
	{"57P04", BOTH(SQLSTATE_CONFIGURATION)}, /* the database was dropped */
	{"58", BOTH(SQLSTATE_RETRY)},			 /* system and I/O errors; 58M01: Greenplum lost a segment */
	{"58P01", BOTH(SQLSTATE_CONFIGURATION)}, /* no such file: a library that is not installed */
	{"72", BOTH(SQLSTATE_RETRY)},			 /* snapshot too old */
	{"F0", BOTH(SQLSTATE_CONFIGURATION)},	 /* configuration file */
	{"P0", BOTH(SQLSTATE_TABLE)},			 /* raised by a trigger */
	{"XX", BOTH(SQLSTATE_TABLE)},			 /* corrupted data or index */
	{SQLSTATE_INTERNAL, SQLSTATE_TABLE, SQLSTATE_RETRY},
};

#define CLASS_COUNT (sizeof classes / sizeof *classes)

enum sqlstate_class
sqlstate_class(const char *sqlstate, bool greenplum)
{
	enum sqlstate_class class = SQLSTATE_CONFIGURATION;
	size_t longest = 0;

	for (size_t i = 0; i < CLASS_COUNT; i++) {
		size_t len = strlen(classes[i].prefix);

		if (len <= longest || strncmp(sqlstate, classes[i].prefix, len) != 0)
			continue;
		longest = len;
		class = greenplum ? classes[i].greenplum : classes[i].postgresql;
	}
	return class;
}

bool
sqlstate_is_server_trouble(const char *sqlstate)
{
	return sqlstate[0] != '\0' && strncmp(sqlstate, "08", 2) != 0 && strncmp(sqlstate, "57P", 3) != 0;
}

bool
sqlstate_is_ambiguous(const char *sqlstate)
{
	return strcmp(sqlstate, SQLSTATE_INTERNAL) == 0 || strcmp(sqlstate, SQLSTATE_UNDEFINED_TABLE) == 0;
}

bool
sqlstate_is_of_encoding(const char *sqlstate)
{
	return strcmp(sqlstate, "22P05") == 0 || strcmp(sqlstate, "22021") == 0;
}

const char *
sqlstate_prefix(unsigned index)
{
	return index < CLASS_COUNT ? classes[index].prefix : "";
}
