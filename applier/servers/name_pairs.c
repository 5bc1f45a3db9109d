#include "name_pairs.h"

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"

void
name_pairs_init(struct name_pairs *pairs)
{
	memory_buffer_init(&pairs->schemas);
	memory_buffer_init(&pairs->names);
	memory_buffer_init(&pairs->added);
}

void
name_pairs_fini(struct name_pairs *pairs)
{
	buffer_fini(&pairs->schemas);
	buffer_fini(&pairs->names);
	buffer_fini(&pairs->added);
}

static void
put_pair(struct name_pairs *pairs, const char *schema, const char *name)
{
	sql_array_element(&pairs->schemas, schema);
	sql_array_element(&pairs->names, name);
}

void
name_pairs_add(struct name_pairs *pairs, const char *schema, const char *name)
{
	const char *const pair[] = {schema, name};

	buffer_put(&pairs->added, pair, sizeof pair);
	put_pair(pairs, schema, name);
}

static bool
ask(struct name_pairs *pairs, struct connection *destination, const char *sql, struct result **res,
	struct error *err)
{
	struct param params[2];

	sql_array_end(&pairs->schemas);
	sql_array_end(&pairs->names);
	params[0] = param_text(sql_text(&pairs->schemas));
	params[1] = param_text(sql_text(&pairs->names));
	return connection_execute(destination, sql, params, 2, res, err);
}

/*
 * Sends the pairs one by one, to find those with a letter that the server's encoding lacks, and replaces these by empty
 * names.  No object there has such a name, nor an empty one, so neither matches anything.
 */
static bool
replace_unknown(struct name_pairs *pairs, struct connection *destination, struct error *err)
{
	unsigned count = (unsigned) (pairs->added.len / (2 * sizeof(char *)));

	buffer_reset(&pairs->schemas);
	buffer_reset(&pairs->names);
	for (unsigned i = 0; i < count; i++) {
		const char *pair[2];
		struct param params[2];

		memcpy(pair, pairs->added.data + i * sizeof pair, sizeof pair);
		params[0] = param_text(pair[0]);
		params[1] = param_text(pair[1]);
		if (connection_execute(destination, "SELECT $1::text, $2::text", params, 2, NULL, err))
			put_pair(pairs, pair[0], pair[1]);
		else if (sqlstate_is_of_encoding(err->sqlstate))
			put_pair(pairs, "", "");
		else
			return false;
	}
	return true;
}

bool
name_pairs_execute(struct name_pairs *pairs, struct connection *destination, const char *sql,
				   struct result **res, struct error *err)
{
	if (ask(pairs, destination, sql, res, err))
		return true;
	return sqlstate_is_of_encoding(err->sqlstate) && replace_unknown(pairs, destination, err) &&
		   ask(pairs, destination, sql, res, err);
}
