#include "name_pairs.h"

#include "base/memory.h"
#include "base/sql.h"

void
name_pairs_init(struct name_pairs *pairs)
{
	memory_buffer_init(&pairs->schemas);
	memory_buffer_init(&pairs->names);
}

void
name_pairs_fini(struct name_pairs *pairs)
{
	buffer_fini(&pairs->schemas);
	buffer_fini(&pairs->names);
}

void
name_pairs_add(struct name_pairs *pairs, const char *schema, const char *name)
{
	sql_array_element(&pairs->schemas, schema);
	sql_array_element(&pairs->names, name);
}

bool
name_pairs_execute(struct name_pairs *pairs, struct connection *destination, const char *sql,
				   struct result **res, struct error *err)
{
	struct param params[2];

	sql_array_end(&pairs->schemas);
	sql_array_end(&pairs->names);
	params[0] = param_text(sql_text(&pairs->schemas));
	params[1] = param_text(sql_text(&pairs->names));
	return connection_execute(destination, sql, params, 2, res, err);
}
