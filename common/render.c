#include "render.h"

#include "lsn.h"
#include "quote.h"
#include "value_text.h"

#include <inttypes.h>

/* pg_type.oid of the types whose values are written without quotes or in
 * a notation of their own. */
enum {
	TYPE_BOOL = 16,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_OID = 26,
	TYPE_FLOAT4 = 700,
	TYPE_FLOAT8 = 701,
	TYPE_TIMESTAMPTZ = 1184,
	TYPE_BIT = 1560,
	TYPE_VARBIT = 1562,
	TYPE_NUMERIC = 1700,
};

static void
put(struct buffer *out, const char *text)
{
	buffer_put(out, text, strlen(text));
}

static void
put_literal(struct buffer *out, struct bytes text)
{
	size_t start = out->len;

	buffer_put(out, text.data, text.len);
	quote_literal_tail(out, start);
}

static void
put_lsn(struct buffer *out, uint64_t lsn)
{
	char text[LSN_TEXT_BYTES];

	put(out, lsn_format(lsn, text));
}

static void
put_time(struct buffer *out, int64_t time)
{
	uint64_t be = buffer_be64((uint64_t) time);

	value_text_put(out, TYPE_TIMESTAMPTZ, 'b', (const uint8_t *) &be, sizeof be);
}

static void
put_qualified(struct buffer *out, const char *schema, const char *name)
{
	quote_identifier(out, schema);
	put(out, ".");
	quote_identifier(out, name);
}

/* ---- types */

/* The name that SQL has for a built-in type (format_type). */
static void
put_builtin_type(struct buffer *out, const char *name)
{
	static const char *const names[][2] = {
		{"bool", "boolean"},
		{"bpchar", "character"},
		{"char", "\"char\""},
		{"float4", "real"},
		{"float8", "double precision"},
		{"int2", "smallint"},
		{"int4", "integer"},
		{"int8", "bigint"},
		{"time", "time without time zone"},
		{"timestamp", "timestamp without time zone"},
		{"timestamptz", "timestamp with time zone"},
		{"timetz", "time with time zone"},
		{"varbit", "bit varying"},
		{"varchar", "character varying"},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(names[i][0], name) == 0) {
			put(out, names[i][1]);
			return;
		}
	/* Some of these names are key words, but here they are not used as columns, and need no quotes. */
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0')
		put(out, name);
	else
		quote_identifier(out, name);
}

static bool
is_array(const struct change_column *column)
{
	return column->typtype == 'A' && column->base_type == column->type && column->type_name[0] == '_';
}

static void
put_type(struct buffer *out, const struct change_column *column)
{
	const char *name = column->type_name + (is_array(column) ? 1 : 0);

	if (strcmp(column->type_schema, "pg_catalog") == 0)
		put_builtin_type(out, name);
	else
		put_qualified(out, column->type_schema, name);
	if (is_array(column))
		put(out, "[]");
}

/* ---- rows */

static bool
consists_of(const struct buffer *out, size_t start, const char *allowed)
{
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] == '\0' || !strchr(allowed, out->data[i]))
			return false;
	return out->len > start;
}

static bool
is_number(uint32_t type)
{
	return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_OID ||
		   type == TYPE_FLOAT4 || type == TYPE_FLOAT8 || type == TYPE_NUMERIC;
}

/* Quotes what was written from `start` on, in the way of the type's values. */
static void
quote_value(struct buffer *out, size_t start, uint32_t type)
{
	if (out->failed)
		return;
	if (is_number(type) && consists_of(out, start, "0123456789+-.eInfityNa"))
		return;
	if (type == TYPE_BOOL && out->len - start == 1 && consists_of(out, start, "tf"))
		put(out, out->data[start] == 't' ? "rue" : "alse");
	else if ((type == TYPE_BIT || type == TYPE_VARBIT) && consists_of(out, start, "01"))
		quote_tail(out, start, "B'", "'", quote_unchanged);
	else
		quote_bytes_tail(out, start);
}

static void
put_value(struct buffer *out, const struct change_relation *rel, const struct change_column *column,
		  const struct value *value)
{
	size_t start = out->len;

	switch (value->kind) {
	case VALUE_NULL:
		put(out, "null");
		return;
	case VALUE_UNCHANGED:
		put(out, "unchanged-toast-datum");
		return;
	case VALUE_PRESENT:
		break;
	}
	if (rel->flags & RELATION_TEXT)
		buffer_put(out, value->data, value->len);
	else
		value_text_put(out, column->base_type, column->typtype, value->data, value->len);
	quote_value(out, start, column->base_type);
}

static void
put_row(struct buffer *out, const struct change_relation *rel, const struct change_row *row, bool key_only)
{
	for (unsigned i = 0; i < rel->column_count; i++) {
		const struct change_column *column = &rel->columns[i];

		if (key_only && !(column->flags & COLUMN_KEY))
			continue;
		put(out, " ");
		quote_identifier(out, column->name);
		put(out, "[");
		put_type(out, column);
		put(out, "]:");
		put_value(out, rel, column, &row->values[i]);
	}
}

static void
put_old(struct buffer *out, const struct change *c)
{
	switch (c->old_kind) {
	case CHANGE_OLD_SAME:
		return;
	case CHANGE_OLD_KEY:
		put(out, " old-key:");
		put_row(out, c->relation, &c->old, true);
		return;
	case CHANGE_OLD_FULL:
		put(out, " old-tuple:");
		put_row(out, c->relation, &c->old, false);
		return;
	case CHANGE_OLD_NONE:
		put(out, " (no-identity)");
		return;
	}
}

static void
put_table(struct buffer *out, const struct change_relation *rel)
{
	put(out, "table ");
	put_qualified(out, rel->schema, rel->name);
}

static void
render_insert(struct buffer *out, const struct change *c)
{
	put_table(out, c->relation);
	put(out, ": INSERT:");
	put_row(out, c->relation, &c->new, false);
}

static void
render_update(struct buffer *out, const struct change *c)
{
	put_table(out, c->relation);
	put(out, ": UPDATE:");
	put_old(out, c);
	if (c->old_kind != CHANGE_OLD_SAME)
		put(out, " new-tuple:");
	put_row(out, c->relation, &c->new, false);
}

static void
render_delete(struct buffer *out, const struct change *c)
{
	put_table(out, c->relation);
	put(out, ": DELETE:");
	put_old(out, c);
}

static void
render_truncate(struct buffer *out, const struct change_decoder *d, const struct change *c)
{
	const struct change_relation *rel;
	struct bytes leaf;
	size_t at = 0;

	put(out, "table");
	for (const char *separator = " "; change_next_truncated(d, c, &at, &rel, &leaf); separator = ", ") {
		put(out, separator);
		put_qualified(out, rel->schema, rel->name);
		if (leaf.len > 0) {
			put(out, " (leaf: ");
			put_literal(out, leaf);
			put(out, ")");
		}
	}
	put(out, ": TRUNCATE:");
	if (c->flags & TRUNCATE_RESTART)
		put(out, " restart_seqs");
	if (c->flags & TRUNCATE_CASCADE)
		put(out, " cascade");
	if (!(c->flags & (TRUNCATE_RESTART | TRUNCATE_CASCADE)))
		put(out, " (no-flags)");
}

/* ---- descriptions */

static void
render_startup(struct buffer *out, const struct change *c)
{
	struct change_option option;
	size_t at = 0;

	buffer_printf(out, "startup: version: %u server: %u encoding: ", c->version, c->server_version_num);
	put_literal(out, c->encoding);
	put(out, " database: ");
	put_literal(out, c->database);
	put(out, " options:");
	for (const char *separator = " "; change_next_option(c, &at, &option); separator = ", ") {
		size_t start;

		put(out, separator);
		start = out->len;
		buffer_put(out, option.name.data, option.name.len);
		if (!out->failed && !consists_of(out, start, "abcdefghijklmnopqrstuvwxyz_"))
			quote_literal_tail(out, start);
		put(out, "=");
		put_literal(out, option.value);
	}
	if (c->option_count == 0)
		put(out, " (none)");
}

static void
put_identity(struct buffer *out, char identity)
{
	switch (identity) {
	case 'd':
		put(out, "default");
		return;
	case 'i':
		put(out, "index");
		return;
	case 'f':
		put(out, "full");
		return;
	case 'n':
		put(out, "nothing");
		return;
	}
	buffer_printf(out, "0x%02x", (unsigned char) identity);
}

static void
put_column_flags(struct buffer *out, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} names[] = {
		{COLUMN_KEY, " key"},			{COLUMN_PRIMARY, " primary"},
		{COLUMN_NOT_NULL, " not-null"}, {COLUMN_GENERATED, " generated"},
		{COLUMN_IDENTITY, " identity"},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (flags & names[i].flag)
			put(out, names[i].name);
}

static void
put_column(struct buffer *out, const struct change_column *column)
{
	bool kind_is_letter = (column->typtype >= 'a' && column->typtype <= 'z') || column->typtype == 'A';

	quote_identifier(out, column->name);
	put(out, "[");
	put_type(out, column);
	buffer_printf(out, "] (attnum: %d type: ", column->attnum);
	put_qualified(out, column->type_schema, column->type_name);
	buffer_printf(out, " %" PRIu32 " base: %" PRIu32 " typmod: %" PRId32 " kind: %c width: %u", column->type,
				  column->base_type, column->typmod, kind_is_letter ? column->typtype : '?', column->width);
	put_column_flags(out, column->flags);
	put(out, ")");
}

static void
render_relation(struct buffer *out, const struct change_relation *rel)
{
	put(out, "relation ");
	put_qualified(out, rel->schema, rel->name);
	buffer_printf(out, ": number: %" PRIu32 " oid: %" PRIu32 " identity: ", rel->number, rel->oid);
	put_identity(out, rel->identity);
	put(out, rel->flags & RELATION_TEXT ? " values: text" : " values: binary");
	if (rel->flags & RELATION_PARTITIONED)
		put(out, " partitioned");
	put(out, " columns:");
	for (unsigned i = 0; i < rel->column_count; i++) {
		put(out, i == 0 ? " " : ", ");
		put_column(out, &rel->columns[i]);
	}
	if (rel->leaf_count > 0)
		put(out, " leaves:");
	for (unsigned i = 0; i < rel->leaf_count; i++)
		buffer_printf(out, "%s%" PRIu32, i == 0 ? " " : ", ", rel->leaves[i]);
}

/* ---- transactions and messages */

static void
render_begin(struct buffer *out, const struct change *c)
{
	buffer_printf(out, "BEGIN %" PRIu32 " (commit at ", c->xid);
	put_lsn(out, c->commit_lsn);
	put(out, ", ");
	put_time(out, c->commit_time);
	put(out, ")");
}

static void
render_commit(struct buffer *out, const struct change *c)
{
	put(out, "COMMIT (end ");
	put_lsn(out, c->end_lsn);
	put(out, ")");
}

static void
render_stream_commit(struct buffer *out, const struct change *c)
{
	buffer_printf(out, "stream commit: %" PRIu32 " (commit at ", c->xid);
	put_lsn(out, c->commit_lsn);
	put(out, ", end ");
	put_lsn(out, c->end_lsn);
	put(out, ", ");
	put_time(out, c->commit_time);
	put(out, ")");
}

static void
render_message(struct buffer *out, const struct change *c)
{
	size_t start;

	buffer_printf(out, "message: transactional: %d lsn: ", c->flags & MESSAGE_TRANSACTIONAL ? 1 : 0);
	put_lsn(out, c->message_lsn);
	put(out, " prefix: ");
	put_literal(out, c->prefix);
	buffer_printf(out, " size: %zu content: ", c->content.len);
	start = out->len;
	buffer_put(out, c->content.data, c->content.len);
	quote_bytes_tail(out, start);
}

static void
render_definition(struct buffer *out, const struct change_definition *definition)
{
	static const char *const words[] = {
		[DEFINITION_DROPPED] = "dropped",	[DEFINITION_UNKNOWN] = "unknown",
		[DEFINITION_UNLOGGED] = "unlogged", [DEFINITION_REWRITTEN] = "rewritten",
		[DEFINITION_MISSED] = "missed",
	};

	buffer_printf(out, " %" PRIu32, definition->oid);
	if (definition->kind == DEFINITION_DESCRIBED)
		buffer_printf(out, " (relation %" PRIu32 ")", definition->relation);
	else
		buffer_printf(out, " (%s)", words[definition->kind]);
}

static void
render_definitions(struct buffer *out, const struct change *c)
{
	struct change_definition definition;
	size_t at = 0;

	put(out, "definitions:");
	if (c->flags & DEFINITIONS_TYPES)
		put(out, " types");
	if (c->flags & DEFINITIONS_MORE)
		put(out, " more");
	while (change_next_definition(c, &at, &definition))
		render_definition(out, &definition);
}

void
render_change(struct buffer *out, const struct change_decoder *d, const struct change *c)
{
	switch (c->kind) {
	case CHANGE_STARTUP:
		render_startup(out, c);
		return;
	case CHANGE_RELATION:
		render_relation(out, c->relation);
		return;
	case CHANGE_BEGIN:
		render_begin(out, c);
		return;
	case CHANGE_COMMIT:
		render_commit(out, c);
		return;
	case CHANGE_INSERT:
		render_insert(out, c);
		return;
	case CHANGE_UPDATE:
		render_update(out, c);
		return;
	case CHANGE_DELETE:
		render_delete(out, c);
		return;
	case CHANGE_TRUNCATE:
		render_truncate(out, d, c);
		return;
	case CHANGE_MESSAGE:
		render_message(out, c);
		return;
	case CHANGE_DEFINITIONS:
		render_definitions(out, c);
		return;
	case CHANGE_STREAM_START:
		buffer_printf(out, "stream start: %" PRIu32, c->xid);
		return;
	case CHANGE_SUBTRANSACTION:
		buffer_printf(out, "stream subtransaction: %" PRIu32, c->xid);
		return;
	case CHANGE_STREAM_STOP:
		put(out, "stream stop");
		return;
	case CHANGE_STREAM_COMMIT:
		render_stream_commit(out, c);
		return;
	case CHANGE_STREAM_ABORT:
		buffer_printf(out, "stream abort: %" PRIu32 " (subtransaction %" PRIu32 ")", c->xid, c->subxid);
		return;
	}
}
