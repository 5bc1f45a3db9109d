#include "creation_letters.h"

#include "text_arrays.h"

static const char reason[] = "the destination's encoding lacks a letter of it";

/* Whether all texts are known; NULL is none. */
static bool
find_known(struct connection *destination, const char *const texts[], unsigned count, bool *known,
		   struct error *err)
{
	*known = true;
	for (unsigned i = 0; *known && i < count; i++)
		if (texts[i] && !text_arrays_find_known(destination, texts[i], known, err))
			return false;
	return true;
}

/* A comment is dropped. */
static bool
check_comment(struct connection *destination, const char **comment, bool *dropped, struct error *err)
{
	bool known;

	if (!find_known(destination, comment, 1, &known, err))
		return false;
	if (!known) {
		*comment = NULL;
		*dropped = true;
	}
	return true;
}

static bool
check_index(struct connection *destination, struct index_spec *index, bool *comment_dropped,
			struct error *err)
{
	const char *const texts[] = {index->name, index->constraint, index->tail};
	bool known;

	if (!find_known(destination, texts, 3, &known, err))
		return false;
	if (!known)
		index->refused = reason;
	return check_comment(destination, &index->comment, comment_dropped, err);
}

bool
creation_letters_refuse_indexes(struct connection *destination, struct creation_spec *spec, struct error *err)
{
	for (unsigned i = 0; i < spec->index_count; i++)
		if (!check_index(destination, &spec->indexes[i], &spec->comment_dropped, err))
			return false;
	return true;
}

static bool
check_partitions(struct connection *destination, struct creation_spec *spec, struct error *err)
{
	bool known;

	if (!find_known(destination, &spec->partition_key, 1, &known, err))
		return false;
	for (unsigned i = 0; known && i < spec->partition_count; i++) {
		const struct partition_spec *partition = &spec->partitions[i];
		const char *const texts[] = {partition->schema, partition->name, partition->bound, partition->key};

		if (!find_known(destination, texts, 4, &known, err))
			return false;
	}
	if (!known)
		spec->partition_refused = "the destination's encoding lacks a letter of a partition's definition";
	return true;
}

static bool
check_table(struct connection *destination, struct table *table, struct error *err)
{
	struct creation_spec *spec = table->source.creation_spec;
	bool ok = check_comment(destination, &spec->comment, &spec->comment_dropped, err);

	for (unsigned i = 0; ok && i < table->source.column_count; i++)
		ok = check_comment(destination, &spec->columns[i].comment, &spec->comment_dropped, err);
	return ok && check_partitions(destination, spec, err) &&
		   creation_letters_refuse_indexes(destination, spec, err);
}

static bool
check_type(struct connection *destination, struct type_spec *type, struct error *err)
{
	const char *const texts[] = {type->schema, type->name, type->body};
	bool known, dropped;

	if (!find_known(destination, texts, 3, &known, err))
		return false;
	if (!known) {
		type->lacks_letters = true;
		type->refused = reason;
	}
	return check_comment(destination, &type->comment, &dropped, err);
}

bool
creation_letters_leave_out(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct creation_specs *specs = catalog->creation_specs;
	bool ok = true;

	for (unsigned i = 0; ok && i < catalog->count; i++)
		if (catalog->tables[i].source.creation_spec)
			ok = check_table(destination, &catalog->tables[i], err);
	for (unsigned i = 0; ok && i < specs->type_count; i++)
		ok = check_type(destination, &specs->types[i], err);
	return ok;
}
