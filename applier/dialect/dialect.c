#include "dialect.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct dialect *const dialects[] = {
	&dialect_postgresql, &dialect_greenplum6, &dialect_greenplum7,
	&dialect_cloudberry, &dialect_adbpg6,	  &dialect_adbpg7,
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

bool
dialect_storage_has_keys(enum table_storage storage)
{
	return storage == TABLE_STORAGE_DEFAULT || storage == TABLE_STORAGE_HEAP || storage == TABLE_STORAGE_BEAM;
}

const char *
dialect_storage_name(enum table_storage storage)
{
	static const char *const names[] = {
		[TABLE_STORAGE_DEFAULT] = "default", [TABLE_STORAGE_HEAP] = "heap",
		[TABLE_STORAGE_AO_ROW] = "ao_row",	 [TABLE_STORAGE_AO_COLUMN] = "ao_column",
		[TABLE_STORAGE_BEAM] = "beam",		 [TABLE_STORAGE_PAX] = "pax",
	};

	return names[storage];
}

/* ---- detecting the dialect */

/* clang-format off */
const char dialect_facts_sql[] =
	"SELECT version(), current_setting('server_version_num'),"
	" EXISTS (SELECT 1 FROM pg_class c WHERE c.relname = 'gp_distribution_policy' AND c.relnamespace ="
	"  (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'pg_catalog')),"
	" coalesce((SELECT s.setting FROM pg_settings s WHERE s.name = 'gp_server_version_num'), ''),"
	" coalesce((SELECT s.setting FROM pg_settings s WHERE s.name = 'adbpg_version'), ''),"
	" coalesce((SELECT ' ' || string_agg(m.amname, ' ') || ' ' FROM pg_am m"
	"  WHERE m.amname IN ('beam', 'pax')), ''),"
	" pg_backend_pid()";
/* clang-format on */

/* The versions of PostgreSQL that the generations of Greenplum are based on. */
enum { GENERATION_6 = 90400, GENERATION_7 = 120000, GENERATION_CLOUDBERRY = 140000 };

/* PostgreSQL's version() is "PostgreSQL 15.4 …"; a number joined to another name ("11.2-YB-…") is another product. */
static bool
is_postgresql(const char *version)
{
	static const char name[] = "PostgreSQL ";
	const char *at = version + strlen(name);

	if (strncmp(version, name, strlen(name)) != 0)
		return false;
	while (isalnum((unsigned char) *at) || *at == '.')
		at++;
	return *at == ' ' || *at == '\0';
}

const struct dialect *
dialect_detect(const struct dialect_facts *facts)
{
	bool adbpg = facts->adbpg_version[0] != '\0';

	if (facts->server_version < GENERATION_6)
		return NULL;
	if (!facts->has_distribution_policy)
		return is_postgresql(facts->version) ? &dialect_postgresql : NULL;
	if (facts->server_version < GENERATION_7)
		return adbpg ? &dialect_adbpg6 : &dialect_greenplum6;
	if (adbpg)
		return &dialect_adbpg7;
	return facts->server_version < GENERATION_CLOUDBERRY ? &dialect_greenplum7 : &dialect_cloudberry;
}

/* The part of version() before the build and the compiler. */
static void
shorten_version(char *version)
{
	char *build = strstr(version, " build "); /* inside the parentheses of Greenplum's version */
	char *platform = strstr(version, " on ");

	if (build && (!platform || build < platform)) {
		*build = ')';
		build[1] = '\0';
	} else if (platform) {
		*platform = '\0';
	}
}

void
dialect_describe(const struct dialect_facts *facts, char *out, size_t out_bytes)
{
	char version[256];
	size_t len;

	snprintf(version, sizeof version, "%s", facts->version);
	shorten_version(version);
	len = (size_t) snprintf(out, out_bytes, "%s, %s gp_distribution_policy", version,
							facts->has_distribution_policy ? "with" : "without");
	if (facts->gp_version[0] != '\0' && len < out_bytes)
		len += (size_t) snprintf(out + len, out_bytes - len, ", gp_server_version_num %s", facts->gp_version);
	if (facts->adbpg_version[0] != '\0' && len < out_bytes)
		snprintf(out + len, out_bytes - len, ", adbpg_version %s", facts->adbpg_version);
}

const struct dialect *
dialect_choose(const struct dialect_facts *facts, const char *configured, struct error *err)
{
	bool automatic = strcmp(configured, "auto") == 0;
	const struct dialect *detected = dialect_detect(facts);
	const struct dialect *chosen = automatic ? detected : dialect_by_name(configured);
	char found[400];

	dialect_describe(facts, found, sizeof found);
	if (chosen && chosen->has_segments == facts->has_distribution_policy)
		return chosen;
	if (chosen) {
		error_set(err, ERROR_CONFIG, "destination.dialect is \"%s\", but the server is %s%s%s%s", configured,
				  found, detected ? ", which is \"" : "", detected ? detected->name : "",
				  detected ? "\"" : "");
		error_hint(err, "Set destination.dialect to auto, or leave it out.");
	} else if (!automatic) {
		error_set(err, ERROR_CONFIG, "destination.dialect: \"%s\" is not known", configured);
	} else {
		error_set(err, ERROR_CONFIG, "the destination says it is %s, which is none of the known dialects",
				  found);
		error_hint(err, "Set destination.dialect to the one it resembles most.");
	}
	return NULL;
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
