#include "stored_definition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define FORMAT 1
#define STORAGE_UNKNOWN "-"

/* ---- text */

static void
put_text(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			buffer_printf(out, "\\n");
		else if (*text == '\\')
			buffer_printf(out, "\\\\");
		else
			buffer_put_u8(out, (uint8_t) *text);
	}
}

void
stored_definition_put(struct buffer *out, const struct source_table *source)
{
	buffer_printf(out, "%d %c %s", FORMAT, source->identity,
				  source->storage && *source->storage ? source->storage : STORAGE_UNKNOWN);
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];

		buffer_printf(out, "\n%d %u %d %s%s- %d %d %d %u ", column->attnum, column->type, column->typmod,
					  column->not_null ? "n" : "", column->generated ? "g" : "", column->primary_position,
					  column->identity_position, column->unique_position, column->version);
		put_text(out, column->name);
		if (!column->default_sql)
			continue;
		buffer_printf(out, "\n=");
		put_text(out, column->default_sql);
	}
}

static char *
parse_text(const char *from, size_t len)
{
	char *text = memory_alloc_zero(len + 1, 1);
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		if (from[i] == '\\' && i + 1 < len)
			text[out++] = from[++i] == 'n' ? '\n' : from[i];
		else
			text[out++] = from[i];
	}
	return text;
}

static bool
parse_column(const char *line, size_t len, struct source_column *column)
{
	char flags[8];
	int at = 0;

	*column = (struct source_column){0};
	if (sscanf(line, "%d %" SCNu32 " %d %7s %d %d %d %" SCNu32 "%n", &column->attnum, &column->type,
			   &column->typmod, flags, &column->primary_position, &column->identity_position,
			   &column->unique_position, &column->version, &at) != 8 ||
		(size_t) at >= len || line[at] != ' ')
		return false;
	column->not_null = strchr(flags, 'n') != NULL;
	column->generated = strchr(flags, 'g') != NULL;
	column->name = parse_text(line + at + 1, len - (size_t) at - 1);
	return true;
}

/* Parses a column, or the default of the column before it. */
static bool
parse_line(const char *line, size_t len, struct source_table *source)
{
	if (*line == '=' && source->column_count > 0 && !source->columns[source->column_count - 1].default_sql) {
		source->columns[source->column_count - 1].default_sql = parse_text(line + 1, len - 1);
		return true;
	}
	if (!parse_column(line, len, &source->columns[source->column_count]))
		return false;
	source->column_count++;
	return true;
}

static unsigned
count_lines(const char *text)
{
	unsigned count = 1;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static bool
parse_head(const char *line, size_t len, struct source_table *source)
{
	if (len < 5 || line[0] != '0' + FORMAT || line[1] != ' ' || line[3] != ' ')
		return false;
	source->identity = line[2];
	source->storage = memory_alloc_zero(len - 3, 1);
	memcpy(source->storage, line + 4, len - 4);
	return true;
}

bool
stored_definition_parse(const char *text, struct source_table *source)
{
	const char *line = text;
	bool ok;

	*source = (struct source_table){0};
	ok = parse_head(text, strcspn(text, "\n"), source);
	source->columns = memory_alloc_zero(count_lines(text), sizeof *source->columns);
	while (ok && (line = strchr(line, '\n'))) {
		line++;
		ok = parse_line(line, strcspn(line, "\n"), source);
	}
	if (!ok)
		source_table_free(source);
	return ok;
}

/* ---- comparing */

const struct source_column *
stored_definition_find(const struct source_table *source, int attnum)
{
	for (unsigned i = 0; i < source->column_count; i++)
		if (source->columns[i].attnum == attnum)
			return &source->columns[i];
	return NULL;
}

bool
stored_definition_same_name(const struct source_table *a, const struct source_table *b)
{
	return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0;
}

bool
stored_definition_same(const struct source_table *a, const struct source_table *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (unsigned i = 0; i < a->column_count; i++) {
		const struct source_column *x = &a->columns[i], *y = &b->columns[i];

		if (x->attnum != y->attnum || x->type != y->type || x->typmod != y->typmod ||
			x->not_null != y->not_null || !x->primary_position != !y->primary_position ||
			strcmp(x->name, y->name) != 0)
			return false;
	}
	return true;
}

bool
stored_definition_matches(const struct source_table *source, const struct change_relation *relation)
{
	if (source->column_count != relation->column_count || strcmp(source->schema, relation->schema) != 0 ||
		strcmp(source->name, relation->name) != 0)
		return false;
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *x = &source->columns[i];
		const struct change_column *y = &relation->columns[i];

		if (x->attnum != y->attnum || x->type != y->type || x->typmod != y->typmod ||
			x->not_null != !!(y->flags & COLUMN_NOT_NULL) ||
			!x->primary_position != !(y->flags & COLUMN_PRIMARY) || strcmp(x->name, y->name) != 0)
			return false;
	}
	return true;
}

static bool
known(const struct source_table *source)
{
	return source->storage && strcmp(source->storage, STORAGE_UNKNOWN) != 0;
}

/*
 * Whether a column's row in the catalog was replaced. New and dropped columns are not considered: the
 * stream reports them.
 */
static bool
column_rewritten(const struct source_table *before, const struct source_table *now)
{
	for (unsigned i = 0; i < before->column_count; i++) {
		const struct source_column *column = stored_definition_find(now, before->columns[i].attnum);

		if (column && column->version != before->columns[i].version)
			return true;
	}
	return false;
}

#define START "start:"

/* The leaves of a storage text; `start`: what identifies the server's start, and its length, 0 if it is unknown. */
static const char *
split_storage(const char *storage, struct bytes *start)
{
	size_t len = strncmp(storage, START, strlen(START)) == 0 ? strcspn(storage, ",") : 0;

	*start = (struct bytes){(const uint8_t *) storage, len};
	return storage + len + (storage[len] == ',' && len > 0);
}

/* Returns the next leaf and its length; NULL at the end. */
static const char *
next_leaf(const char **at, size_t *len)
{
	const char *leaf = *at;

	if (!*leaf)
		return NULL;
	*len = strcspn(leaf, ",");
	*at = leaf + *len + (leaf[*len] == ',');
	return leaf;
}

static bool
has_leaf(const char *storage, const char *oid)
{
	size_t digits = strcspn(oid, ":") + 1, len;
	const char *leaf;

	while ((leaf = next_leaf(&storage, &len)))
		if (strncmp(leaf, oid, digits) == 0)
			return true;
	return false;
}

static bool
is_mark(char last)
{
	return last == '!' || last == '?';
}

/* Whether there is a leaf that `other` lacks. */
static bool
has_others(const char *leaves, const char *other)
{
	const char *leaf;
	size_t len;

	while ((leaf = next_leaf(&leaves, &len)))
		if (!has_leaf(other, leaf))
			return true;
	return false;
}

/* The same for leaves that were ordinary tables, or with `restarted` may have been. */
static bool
has_attached(const char *leaves, const char *other, bool restarted)
{
	const char *leaf;
	size_t len;

	while ((leaf = next_leaf(&leaves, &len)))
		if ((leaf[len - 1] == '!' || (restarted && leaf[len - 1] == '?')) && !has_leaf(other, leaf))
			return true;
	return false;
}

/*
 * Compares without the marks of leaves: adding a column to a partition makes it look like one that was a table
 * before.
 */
static bool
same_files(const char *a_storage, const char *b_storage)
{
	struct bytes start;
	const char *a = split_storage(a_storage, &start), *b = split_storage(b_storage, &start);
	size_t a_len, b_len;

	for (;;) {
		const char *x = next_leaf(&a, &a_len), *y = next_leaf(&b, &b_len);

		if (!x || !y)
			return x == y;
		a_len -= is_mark(x[a_len - 1]);
		b_len -= is_mark(y[b_len - 1]);
		if (a_len != b_len || memcmp(x, y, a_len) != 0)
			return false;
	}
}

bool
stored_definition_same_files(const struct source_table *a, const struct source_table *b)
{
	return known(a) && known(b) && same_files(a->storage, b->storage);
}

static bool
partitions_changed(const char *before, const char *now)
{
	struct bytes start_before, start_now;
	const char *leaves_before = split_storage(before, &start_before),
			   *leaves_now = split_storage(now, &start_now);
	bool restarted = start_before.len == 0 || start_before.len != start_now.len ||
					 memcmp(start_before.data, start_now.data, start_now.len) != 0;

	return has_others(leaves_before, leaves_now) || has_attached(leaves_now, leaves_before, restarted);
}

enum rewrite
stored_definition_rewritten(const struct source_table *before, const struct source_table *now)
{
	if (!known(before) || !known(now) || same_files(before->storage, now->storage))
		return REWRITE_NONE;
	if (now->partitioned && partitions_changed(before->storage, now->storage))
		return REWRITE_PARTITIONS;
	return column_rewritten(before, now) ? REWRITE_VALUES : REWRITE_NONE;
}

bool
stored_definition_moved(const struct source_table *before, const struct source_table *now)
{
	return !known(before) || (known(now) && strcmp(before->storage, now->storage) != 0) ||
		   column_rewritten(before, now);
}

/* ---- copying */

static char *
copy_text(const char *text)
{
	return text ? memory_strdup(text) : NULL;
}

void
stored_definition_copy_type(struct source_column *to, const struct source_column *from)
{
	to->base_type = from->base_type;
	to->element = from->element;
	to->typtype = from->typtype;
	to->base_typtype = from->base_typtype;
	to->type_schema = copy_text(from->type_schema);
	to->type_name = copy_text(from->type_name);
	to->formatted = copy_text(from->formatted);
	to->base_schema = copy_text(from->base_schema);
	to->base_name = copy_text(from->base_name);
	to->base_formatted = copy_text(from->base_formatted);
	to->extension = copy_text(from->extension);
	to->schema_at_target = copy_text(from->schema_at_target);
	to->builtin = from->builtin;
	to->exists_at_target = from->exists_at_target;
	to->base_exists_at_target = from->base_exists_at_target;
	to->unhashable_at_target = from->unhashable_at_target;
}

void
stored_definition_copy_default(struct source_column *to, const struct source_column *from)
{
	char *sql = copy_text(from->default_sql), *refused = copy_text(from->default_refused);

	free(to->default_sql);
	free(to->default_refused);
	to->default_sql = sql;
	to->default_refused = refused;
}

void
stored_definition_keep_defaults(struct source_table *source, const struct source_table *before)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		struct source_column *column = &source->columns[i];
		const struct source_column *same = stored_definition_find(before, column->attnum);
		bool kept = same && same->type == column->type && same->typmod == column->typmod;

		stored_definition_copy_default(column,
									   kept ? same : &(struct source_column){.default_sql = (char[]){""}});
	}
}

void
stored_definition_copy(struct source_table *to, const struct source_table *from)
{
	*to = *from;
	to->schema = copy_text(from->schema);
	to->name = copy_text(from->name);
	to->storage = copy_text(from->storage);
	to->columns = memory_alloc_zero(from->column_count, sizeof *to->columns);
	for (unsigned i = 0; i < from->column_count; i++) {
		to->columns[i] = from->columns[i];
		to->columns[i].name = copy_text(from->columns[i].name);
		to->columns[i].default_sql = copy_text(from->columns[i].default_sql);
		to->columns[i].default_tree = copy_text(from->columns[i].default_tree);
		to->columns[i].default_refused = copy_text(from->columns[i].default_refused);
		stored_definition_copy_type(&to->columns[i], &from->columns[i]);
	}
}

static int
compare_numbers(const void *a, const void *b)
{
	return ((const struct source_column *) a)->attnum - ((const struct source_column *) b)->attnum;
}

/* Higher than any attnum (MaxHeapAttributeNumber is 1600). */
#define NO_COLUMN 100000

void
stored_definition_match_names(struct source_table *definition, const struct source_table *source)
{
	for (unsigned i = 0; i < definition->column_count; i++) {
		struct source_column *column = &definition->columns[i];
		const struct source_column *same = source_find_column(source, column->name);

		column->attnum = same ? same->attnum : NO_COLUMN + (int) i;
	}
	if (definition->column_count > 1)
		qsort(definition->columns, definition->column_count, sizeof *definition->columns, compare_numbers);
}
