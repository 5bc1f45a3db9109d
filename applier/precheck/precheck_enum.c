/* Enums at both servers: a value whose label is missing at the destination would stop the run. */
#include <stdio.h>

#include "base/memory.h"
#include "base/sql.h"
#include "precheck_item.h"
#include "servers/text_arrays.h"

static const char labels_sql[] =
	"SELECT n.nspname, t.typname, e.enumlabel FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
	" JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.oid = ANY ($1::oid[]) AND t.typtype = 'e'"
	" ORDER BY 1, 2, e.enumsortorder";

static const char lacking_sql[] =
	"SELECT w.s, w.n, string_agg(quote_literal(w.l), ', ' ORDER BY w.i),"
	" 'ALTER TYPE ' || quote_ident(w.s) || '.' || quote_ident(w.n) || ' ADD VALUE '"
	" || quote_literal(min(w.l))"
	" FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY w (s, n, l, i)"
	" JOIN pg_namespace s ON s.nspname = w.s::name"
	" JOIN pg_type t ON t.typnamespace = s.oid AND t.typname = w.n::name AND t.typtype = 'e'"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = t.oid AND e.enumlabel = w.l::name)"
	" GROUP BY 1, 2 ORDER BY 1, 2";

static void
add_oid(struct buffer *oids, uint32_t oid)
{
	char text[16];

	snprintf(text, sizeof text, "%u", oid);
	sql_array_element(oids, text);
}

/* Collects the types of columns that are not built in; false if there are none. */
static bool
put_types(struct buffer *oids, const struct catalog *catalog)
{
	bool any = false;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct source_table *source = &catalog->tables[i].source;

		for (unsigned j = 0; j < source->column_count; j++) {
			const struct source_column *column = &source->columns[j];

			if (column->builtin)
				continue;
			add_oid(oids, column->element ? column->element : column->base_type);
			any = true;
		}
	}
	sql_array_end(oids);
	return any;
}

static void
report(struct precheck_context *c, const struct result *res)
{
	for (unsigned row = 0; row < result_rows(res); row++) {
		char name[160];

		snprintf(name, sizeof name, "%s.%s", result_text(res, row, 0), result_text(res, row, 1));
		if (c->config->schema.changes == SCHEMA_CHANGES_FOLLOW) {
			precheck_add(c, CHECK_OK, "types", name, "the destination's enum lacks %s, which run will add",
						 result_text(res, row, 2));
			continue;
		}
		precheck_add(c, CHECK_WARNING, "types", name,
					 "the destination's enum lacks %s: a value with such a label stops the run; at the"
					 " destination, %s",
					 result_text(res, row, 2), result_text(res, row, 3));
	}
}

static bool
compare_labels(struct precheck_context *c, const struct result *labels, struct error *err)
{
	struct text_arrays names;
	struct result *res;
	bool ok;

	text_arrays_init(&names, 3);
	for (unsigned row = 0; row < result_rows(labels); row++)
		text_arrays_add(&names,
						(const char *const[]){result_text(labels, row, 0), result_text(labels, row, 1),
											  result_text(labels, row, 2)});
	ok = text_arrays_execute(&names, c->destination, lacking_sql, &res, err);
	if (ok) {
		report(c, res);
		result_free(res);
	}
	text_arrays_fini(&names);
	return ok;
}

bool
precheck_enums(struct precheck_context *c, struct error *err)
{
	struct buffer oids;
	struct result *labels;
	bool ok = true;

	memory_buffer_init(&oids);
	if (put_types(&oids, c->catalog)) {
		struct param param = param_text((const char *) oids.data);

		ok = connection_execute(c->source, labels_sql, &param, 1, &labels, err);
		if (ok) {
			ok = compare_labels(c, labels, err);
			result_free(labels);
		}
	}
	buffer_fini(&oids);
	return ok || error_context(err, "comparing enums");
}
