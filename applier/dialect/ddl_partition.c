#include "ddl_partition.h"

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "tables/mapping.h"

#define NAME_MAX_BYTES 63 /* NAMEDATALEN - 1 */

/* ---- whether the target is partitioned */

/* Greenplum's classic form has one level, by ranges or lists of one column. */
static bool
is_classic(const struct creation_spec *spec)
{
	struct bytes from, to;

	if (spec->partition_column_count != 1 ||
		(spec->partition_strategy != 'r' && spec->partition_strategy != 'l'))
		return false;
	for (unsigned i = 0; i < spec->partition_count; i++) {
		const struct partition_spec *partition = &spec->partitions[i];

		if (partition->parent == spec->oid && spec->partition_strategy == 'r' &&
			strcmp(partition->bound, "DEFAULT") != 0 && !ddl_parse_range(partition->bound, &from, &to))
			return false;
	}
	return true;
}

bool
ddl_keeps_partitions(const struct dialect *dialect, const struct table *table, const char **remark)
{
	const struct creation_spec *spec = table->source.creation_spec;

	*remark = NULL;
	if (!spec || !spec->partition_key)
		return false;
	if (spec->partition_refused)
		*remark = spec->partition_refused;
	else if (!mapping_keeps_columns(table) || (table->override && table->override->key.count > 0))
		*remark = "its columns or its key are mapped";
	else if (!dialect->has_declarative_partitions && !is_classic(spec))
		*remark = "the destination knows ranges and lists over one column alone";
	return !*remark;
}

/* ---- partitions that are tables of their own */

void
ddl_put_partition_key(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const char *remark;

	if (dialect->has_declarative_partitions && ddl_keeps_partitions(dialect, table, &remark))
		buffer_printf(sql, "\nPARTITION BY %s", table->source.creation_spec->partition_key);
}

/* Only tables with rows have a fillfactor: partitions that are tables and are not divided further. */
void
ddl_put_table_options(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const char *remark;
	bool has_rows = !dialect->has_declarative_partitions || !ddl_keeps_partitions(dialect, table, &remark);

	dialect->put_table_options(sql, table, has_rows ? dialect_fillfactor(dialect, table) : 0);
}

static void
put_leaf_options(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	unsigned fillfactor = dialect_fillfactor(dialect, table);

	if (fillfactor)
		buffer_printf(sql, " WITH (fillfactor = %u)", fillfactor);
}

const char *
ddl_partition_schema(const struct table *table, const struct partition_spec *partition)
{
	return strcmp(partition->schema, table->source.schema) == 0 ? table->target_schema : partition->schema;
}

static const struct partition_spec *
find_partition(const struct creation_spec *spec, uint32_t oid)
{
	for (unsigned i = 0; i < spec->partition_count; i++)
		if (spec->partitions[i].oid == oid)
			return &spec->partitions[i];
	return NULL;
}

/* The name of the root or of a partition. */
static void
put_name(struct buffer *sql, const struct table *table, uint32_t oid)
{
	const struct partition_spec *partition = find_partition(table->source.creation_spec, oid);

	if (partition)
		sql_qualified(sql, ddl_partition_schema(table, partition), partition->name);
	else
		sql_qualified(sql, table->target_schema, table->target_name);
}

static void
put_partition(struct buffer *sql, const struct dialect *dialect, const struct table *table,
			  const struct partition_spec *partition)
{
	buffer_printf(sql, "CREATE TABLE ");
	put_name(sql, table, partition->oid);
	buffer_printf(sql, " PARTITION OF ");
	put_name(sql, table, partition->parent);
	buffer_printf(sql, " %s", partition->bound);
	if (partition->key)
		buffer_printf(sql, " PARTITION BY %s", partition->key);
	else
		put_leaf_options(sql, dialect, table);
	buffer_printf(sql, ";\n");
}

/* No default partition if the level has one already, or is divided by hash, where every value has a partition. */
static bool
needs_default(const struct creation_spec *spec, uint32_t parent, const char *key)
{
	if (strncmp(key, "HASH", 4) == 0)
		return false;
	for (unsigned i = 0; i < spec->partition_count; i++)
		if (spec->partitions[i].parent == parent && strcmp(spec->partitions[i].bound, "DEFAULT") == 0)
			return false;
	return true;
}

static bool
name_is_taken(const struct creation_spec *spec, const char *name)
{
	for (unsigned i = 0; i < spec->partition_count; i++)
		if (strcmp(spec->partitions[i].name, name) == 0)
			return true;
	return false;
}

/* Writes a name such as "orders_default", shortened or numbered where needed. */
static void
put_default(struct buffer *sql, const struct dialect *dialect, const struct table *table, const char *schema,
			const char *name, uint32_t parent)
{
	char chosen[NAME_MAX_BYTES + 1];

	for (unsigned i = 0; i == 0 || name_is_taken(table->source.creation_spec, chosen); i++) {
		char suffix[32];
		int length = i ? snprintf(suffix, sizeof suffix, "_default%u", i)
					   : snprintf(suffix, sizeof suffix, "_default");

		snprintf(chosen, sizeof chosen, "%.*s%s", NAME_MAX_BYTES - length, name, suffix);
	}
	buffer_printf(sql, "CREATE TABLE ");
	sql_qualified(sql, schema, chosen);
	buffer_printf(sql, " PARTITION OF ");
	put_name(sql, table, parent);
	buffer_printf(sql, " DEFAULT");
	put_leaf_options(sql, dialect, table);
	buffer_printf(sql, ";\n");
}

void
ddl_put_partitions(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;
	const char *remark;

	if (!dialect->has_declarative_partitions || !ddl_keeps_partitions(dialect, table, &remark))
		return;
	for (unsigned i = 0; i < spec->partition_count; i++)
		put_partition(sql, dialect, table, &spec->partitions[i]);
	if (needs_default(spec, spec->oid, spec->partition_key))
		put_default(sql, dialect, table, table->target_schema, table->target_name, spec->oid);
	for (unsigned i = 0; i < spec->partition_count; i++) {
		const struct partition_spec *inner = &spec->partitions[i];

		if (inner->key && needs_default(spec, inner->oid, inner->key))
			put_default(sql, dialect, table, ddl_partition_schema(table, inner), inner->name, inner->oid);
	}
}

/* ---- partitions within CREATE TABLE */

/* Takes a constant up to `end`, a parenthesis outside of quotes; false: there are several constants. */
static bool
take_constant(const char **at, struct bytes *constant)
{
	const char *start = *at;
	bool quoted = false;

	for (; **at && (quoted || **at != ')'); (*at)++) {
		if (**at == '\'')
			quoted = !quoted;
		else if (**at == ',' && !quoted)
			return false;
	}
	*constant = (struct bytes){.data = (const uint8_t *) start, .len = (size_t) (*at - start)};
	if (strncmp(start, "MINVALUE", constant->len) == 0 || strncmp(start, "MAXVALUE", constant->len) == 0)
		*constant = (struct bytes){0};
	return **at == ')';
}

static bool
take_word(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

bool
ddl_parse_range(const char *bound, struct bytes *from, struct bytes *to)
{
	return take_word(&bound, "FOR VALUES FROM (") && take_constant(&bound, from) &&
		   take_word(&bound, ") TO (") && take_constant(&bound, to) && strcmp(bound, ")") == 0;
}

static void
put_range(struct buffer *sql, const char *bound)
{
	struct bytes from = {0}, to = {0};

	if (!ddl_parse_range(bound, &from, &to))
		return;
	if (from.data)
		buffer_printf(sql, " START (%.*s)", (int) from.len, (const char *) from.data);
	if (to.data)
		buffer_printf(sql, " END (%.*s)", (int) to.len, (const char *) to.data);
}

/* "FOR VALUES IN (1, 2)" becomes "VALUES (1, 2)". */
static void
put_list(struct buffer *sql, const char *bound)
{
	if (take_word(&bound, "FOR VALUES IN "))
		buffer_printf(sql, " VALUES %s", bound);
}

/* The table of such a partition is named orders_1_prt_NAME, which must not exceed the length of names. */
static void
put_classic_name(struct buffer *sql, const struct table *table, const struct partition_spec *partition,
				 unsigned number)
{
	char name[16];

	if (strlen(table->target_name) + strlen("_1_prt_") + strlen(partition->name) <= NAME_MAX_BYTES) {
		sql_identifier(sql, partition->name);
		return;
	}
	snprintf(name, sizeof name, "p%u", number);
	sql_identifier(sql, name);
}

static void
put_classic(struct buffer *sql, const struct table *table, const struct partition_spec *partition,
			unsigned number)
{
	bool is_default = strcmp(partition->bound, "DEFAULT") == 0;

	buffer_printf(sql, number ? ",\n\t" : "\n\t");
	buffer_printf(sql, is_default ? "DEFAULT PARTITION " : "PARTITION ");
	put_classic_name(sql, table, partition, number);
	if (is_default)
		return;
	if (table->source.creation_spec->partition_strategy == 'r')
		put_range(sql, partition->bound);
	else
		put_list(sql, partition->bound);
}

void
ddl_put_partition_list(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;
	unsigned number = 0;
	const char *remark;

	if (dialect->has_declarative_partitions || !ddl_keeps_partitions(dialect, table, &remark))
		return;
	buffer_printf(sql, "\nPARTITION BY %s (", spec->partition_strategy == 'r' ? "RANGE" : "LIST");
	sql_identifier(sql, table->source.columns[spec->partition_columns[0]].name);
	buffer_printf(sql, ") (");
	for (unsigned i = 0; i < spec->partition_count; i++)
		if (spec->partitions[i].parent == spec->oid)
			put_classic(sql, table, &spec->partitions[i], number++);
	if (needs_default(spec, spec->oid, spec->partition_key))
		buffer_printf(sql, "%s\n\tDEFAULT PARTITION \"default\"", number ? "," : "");
	buffer_printf(sql, "\n)");
}
