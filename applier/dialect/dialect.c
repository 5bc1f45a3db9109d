#include "dialect.h"

#include <string.h>

static const struct dialect *const dialects[] = {
	&dialect_postgresql,
	&dialect_greenplum6,
	&dialect_greenplum7,
};

#define DIALECT_COUNT (sizeof(dialects) / sizeof(*dialects))

const struct dialect *
dialect_by_name(const char *name)
{
	for (size_t i = 0; i < DIALECT_COUNT; i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

/* Servers that are built on PostgreSQL name themselves in parentheses behind
 * PostgreSQL's version; the compiler's version stands there, too, but later. */
const struct dialect *
dialect_by_version(const char *version)
{
	static const char *const derived[] = {"Greenplum", "Cloudberry", "AnalyticDB",
										  "Redshift",  "-YB-",		 "HAWQ"};

	if (strstr(version, "(Greenplum Database 6."))
		return &dialect_greenplum6;
	if (strstr(version, "(Greenplum Database 7."))
		return &dialect_greenplum7;
	if (strncmp(version, "PostgreSQL ", strlen("PostgreSQL ")) != 0)
		return NULL;
	for (size_t i = 0; i < sizeof(derived) / sizeof(*derived); i++)
		if (strstr(version, derived[i]))
			return NULL;
	return &dialect_postgresql;
}

unsigned
dialect_fillfactor(const struct dialect *dialect, const struct table *table)
{
	const struct table_override *override = table->override;
	unsigned key[TABLE_MAX_KEY];

	if (dialect->has_segments && (!override || override->storage != TABLE_STORAGE_HEAP))
		return 0;
	if (override && override->fillfactor)
		return override->fillfactor;
	return (table->operations & OPERATION_UPDATE) && table_match_key(table, key) > 0 ? DIALECT_FILLFACTOR : 0;
}
