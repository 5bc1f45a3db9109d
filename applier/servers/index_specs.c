#include "index_specs.h"

#include "creation_parts.h"

const char index_specs_renamed[] = "it or its table was renamed while its definition was read";

static const char indexes_sql[] =
	"SELECT i.indrelid, ic.relname, pg_get_constraintdef(k.oid), " INDEX_TAIL_SQL ", i.indkey::text,"
	" i.indisunique, i.indexprs IS NULL AND i.indpred IS NULL, i.indisexclusion,"
	" i.indexprs IS NOT NULL, " VETTING_TREE("i.indexprs") ", i.indpred IS NOT NULL, " VETTING_TREE(
		"i.indpred") ", " FOREIGN_OPCLASS("i.indclass") ", i.indexrelid, " INDEX_SIGNATURE_SQL
														", left(obj_description(i.indexrelid, "
														"'pg_class'), " VETTING_MAX_BYTES
														"), d.definition IS NULL"
														" FROM pg_index i JOIN pg_class ic ON ic.oid = "
														"i.indexrelid JOIN pg_class c ON c.oid = i.indrelid"
														" JOIN pg_namespace n ON n.oid = c.relnamespace"
														" LEFT JOIN pg_constraint k ON k.conindid = "
														"i.indexrelid AND k.conrelid = i.indrelid"
														"  AND k.contype IN ('u', 'x')" INDEX_TAIL_FROM_SQL
														" WHERE i.indrelid = ANY ($1::oid[]) "
														"AND " INDEX_FOLLOWED_SQL
														" ORDER BY i.indrelid, i.indexrelid";

static void
read_index(struct table *table, struct index_spec *index, const struct result *res, unsigned row)
{
	struct arena *memory = table->source.creation_spec->memory;

	index->name = creation_keep(memory, res, row, 1);
	index->constraint = creation_keep(memory, res, row, 2);
	index->tail = creation_keep(memory, res, row, 3);
	index->plain = creation_read_positions(&table->source, result_text(res, row, 4), index->columns,
										   &index->column_count) &&
				   result_bool(res, row, 6);
	index->unique = result_bool(res, row, 5);
	index->expressions = result_bool(res, row, 8) ? creation_keep(memory, res, row, 9) : NULL;
	index->condition = result_bool(res, row, 10) ? creation_keep(memory, res, row, 11) : NULL;
	if (result_bool(res, row, 7))
		index->refused = "exclusion constraints are left to the source";
	else if (!index->tail)
		index->refused = index_specs_renamed;
	else if (index->tail[0] == '\0')
		index->refused = "its definition is too long";
	else
		index->refused = creation_keep_opclass(memory, res, row, 12);
	index->oid = (uint32_t) result_int(res, row, 13);
	index->signature = creation_keep(memory, res, row, 14);
	index->comment = creation_keep(memory, res, row, 15);
}

static void
read_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct creation_spec *spec = table->source.creation_spec;

	spec->indexes = arena_alloc_zero(spec->memory, (end - first) * sizeof(*spec->indexes));
	for (unsigned row = first; row < end; row++) {
		bool dropped_meanwhile = result_bool(res, row, 16);

		if (!dropped_meanwhile)
			read_index(table, &spec->indexes[spec->index_count++], res, row);
	}
}

bool
index_specs_read(const struct describe *describe, struct connection *source, struct error *err)
{
	return describe_run(describe, source, indexes_sql, read_indexes, err);
}

bool
index_specs_selects(enum schema_indexes wanted, bool unique)
{
	return wanted == SCHEMA_INDEXES_ALL || (wanted == SCHEMA_INDEXES_UNIQUE && unique);
}

void
index_specs_choose(struct creation_spec *spec, enum schema_indexes wanted)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < spec->index_count; i++) {
		if (!index_specs_selects(wanted, spec->indexes[i].unique))
			continue;
		spec->indexes[kept] = spec->indexes[i];
		spec->indexes[kept++].only_unique = wanted == SCHEMA_INDEXES_UNIQUE;
	}
	spec->index_count = kept;
}

void
index_specs_vet(struct vetting *vetting, struct creation_spec *spec)
{
	for (unsigned i = 0; i < spec->index_count; i++) {
		struct index_spec *index = &spec->indexes[i];

		if (index->expressions)
			vetting_add(vetting, index->expressions, &index->refused);
		if (index->condition)
			vetting_add(vetting, index->condition, &index->refused);
	}
}
