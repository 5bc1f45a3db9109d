#include "dialect_greenplum.h"

#include "base/sql.h"
#include "tables/mapping.h"

enum table_storage
dialect_greenplum_storage(const struct table *table)
{
	return table->override ? table->override->storage : TABLE_STORAGE_DEFAULT;
}

/* ---- the distribution key */

/* Among the types to be created, composite ones have no hash operator class; a type that the destination lacks
 * becomes text. */
static bool
can_be_hashed(const struct source_column *column)
{
	bool is_text = !column->exists_at_target && !column->base_exists_at_target;

	return is_text || (!column->unhashable_at_target && column->base_typtype != 'c');
}

static unsigned
configured_key(const struct table *table, unsigned key[TABLE_MAX_KEY])
{
	const struct string_list *names = &table->override->distributed_by;
	unsigned count = 0;

	for (unsigned i = 0; i < names->count && count < TABLE_MAX_KEY; i++) {
		const struct source_column *column = source_find_column(&table->source, names->items[i]);

		if (column)
			key[count++] = (unsigned) (column - table->source.columns);
	}
	return count;
}

static unsigned
distribution_key(const struct table *table, unsigned key[TABLE_MAX_KEY])
{
	unsigned match[TABLE_MAX_KEY];
	unsigned match_count, count = 0;

	if (table->override && table->override->distributed_by.count > 0)
		return configured_key(table, key);
	match_count = table_match_key(table, match);
	for (unsigned i = 0; i < match_count; i++)
		if (can_be_hashed(&table->source.columns[match[i]]))
			key[count++] = match[i];
	return count;
}

bool
dialect_greenplum_allows_unique(const struct table *table, const unsigned *columns, unsigned column_count)
{
	enum table_storage storage = dialect_greenplum_storage(table);
	unsigned key[TABLE_MAX_KEY];
	unsigned key_count = distribution_key(table, key), found = 0;

	if (!dialect_storage_has_keys(storage))
		return false;
	for (unsigned i = 0; i < key_count; i++)
		for (unsigned j = 0; j < column_count; j++)
			found += key[i] == columns[j];
	return key_count > 0 && found == key_count;
}

static void
put_distribution(struct buffer *sql, const char *const *columns, unsigned count)
{
	if (count == 0) {
		buffer_printf(sql, "DISTRIBUTED RANDOMLY");
		return;
	}
	buffer_printf(sql, "DISTRIBUTED BY (");
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buffer_printf(sql, ", ");
		sql_identifier(sql, columns[i]);
	}
	buffer_put_u8(sql, ')');
}

void
dialect_greenplum_put_distribution(struct buffer *sql, const struct table *table)
{
	const char *names[TABLE_MAX_KEY];
	unsigned key[TABLE_MAX_KEY];
	unsigned count = distribution_key(table, key);

	for (unsigned i = 0; i < count; i++)
		names[i] = mapping_target_name(table, table->source.columns[key[i]].name);
	put_distribution(sql, names, count);
}

void
dialect_greenplum_put_staging_options(struct buffer *sql, const char *const *columns, unsigned column_count)
{
	buffer_printf(sql, " ON COMMIT DELETE ROWS ");
	put_distribution(sql, columns, column_count);
}
