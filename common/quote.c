#include "quote.h"

#include <stdlib.h>

/*
 * Every key word that cannot be a column name everywhere, of all versions up
 * to PostgreSQL 18 (src/include/parser/kwlist.h, all but UNRESERVED); sorted.
 */
/* clang-format off */
static const char *const keywords[] = {
	"all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization",
	"between", "bigint", "binary", "bit", "boolean", "both", "case", "cast", "char", "character",
	"check", "coalesce", "collate", "collation", "column", "concurrently", "constraint", "create",
	"cross", "current_catalog", "current_date", "current_role", "current_schema", "current_time",
	"current_timestamp", "current_user", "dec", "decimal", "default", "deferrable", "desc",
	"distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for",
	"foreign", "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike",
	"in", "initially", "inner", "inout", "int", "integer", "intersect", "interval", "into", "is",
	"isnull", "join", "json", "json_array", "json_arrayagg", "json_exists", "json_object",
	"json_objectagg", "json_query", "json_scalar", "json_serialize", "json_table", "json_value",
	"lateral", "leading", "least", "left", "like", "limit", "localtime", "localtimestamp",
	"merge_action", "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null",
	"nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps",
	"overlay", "placing", "position", "precision", "primary", "real", "references", "returning",
	"right", "row", "select", "session_user", "setof", "similar", "smallint", "some", "substring",
	"symmetric", "system_user", "table", "tablesample", "then", "time", "timestamp", "to",
	"trailing", "treat", "trim", "true", "union", "unique", "user", "using", "values", "varchar",
	"variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
	"xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
	"xmlserialize", "xmltable",
};
/* clang-format on */

static int
compare_keyword(const void *name, const void *keyword)
{
	return strcmp(name, *(const char *const *) keyword);
}

static bool
is_keyword(const char *name)
{
	return bsearch(name, keywords, sizeof keywords / sizeof *keywords, sizeof *keywords, compare_keyword);
}

static bool
is_plain(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len > 0 && name[len] == '\0' && !(name[0] >= '0' && name[0] <= '9') && !is_keyword(name);
}

static bool
is_control(uint8_t c)
{
	return c < 0x20 || c == 0x7f;
}

static bool
has_control(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_control(data[i]))
			return true;
	return false;
}

/* ---- in place */

void
quote_tail(struct buffer *out, size_t start, const char *opening, const char *closing, quote_escape escape)
{
	size_t opening_len = strlen(opening), closing_len = strlen(closing);
	size_t end = out->len, grown = 0;
	uint8_t escaped[QUOTE_ESCAPE_MAX];
	uint8_t *to;

	if (out->failed)
		return;
	for (size_t i = start; i < end; i++)
		grown += escape(out->data[i], escaped);
	if (!buffer_reserve(out, opening_len + grown - (end - start) + closing_len))
		return;
	/* From the end to the start, since the bytes move towards the end. */
	out->len = start + opening_len + grown + closing_len;
	to = out->data + out->len - closing_len;
	memcpy(to, closing, closing_len);
	for (size_t i = end; i-- > start;) {
		unsigned len = escape(out->data[i], escaped);

		to -= len;
		memcpy(to, escaped, len);
	}
	memcpy(out->data + start, opening, opening_len);
}

unsigned
quote_unchanged(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = c;
	return 1;
}

static unsigned
put_hex(uint8_t c, uint8_t *to)
{
	static const char digits[] = "0123456789ABCDEF";

	to[0] = (uint8_t) digits[c >> 4];
	to[1] = (uint8_t) digits[c & 15];
	return 2;
}

static unsigned
escape_plain(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = to[1] = c;
	return c == '\'' ? 2 : 1;
}

/* Escapes for E'…'. */
static unsigned
escape_controls(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	static const char letters[] = "\bb\ff\nn\rr\tt";
	const char *letter = is_control(c) && c ? strchr(letters, c) : NULL;

	to[0] = '\\';
	if (c == '\\' || letter) {
		to[1] = letter ? (uint8_t) letter[1] : c;
		return 2;
	}
	if (!is_control(c))
		return escape_plain(c, to);
	to[1] = 'x';
	return 2 + put_hex(c, to + 2);
}

static unsigned
escape_bytes(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	if (c < 0x80)
		return escape_controls(c, to);
	to[0] = '\\';
	to[1] = 'x';
	return 2 + put_hex(c, to + 2);
}

void
quote_literal_tail(struct buffer *out, size_t start)
{
	if (out->failed)
		return;
	if (out->len > start && has_control(out->data + start, out->len - start))
		quote_tail(out, start, "E'", "'", escape_controls);
	else
		quote_tail(out, start, "'", "'", escape_plain);
}

size_t
quote_utf8_length(const void *text, size_t left)
{
	const uint8_t *s = text;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
		(s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

bool
quote_is_utf8(const void *text, size_t len)
{
	const uint8_t *data = text;

	while (len > 0) {
		size_t step = quote_utf8_length(data, len);

		if (step == 0)
			return false;
		data += step;
		len -= step;
	}
	return true;
}

void
quote_bytes_tail(struct buffer *out, size_t start)
{
	if (out->failed || out->len == start || quote_is_utf8(out->data + start, out->len - start))
		quote_literal_tail(out, start);
	else
		quote_tail(out, start, "E'", "'", escape_bytes);
}

/* ---- identifiers */

static unsigned
escape_identifier(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = to[1] = c;
	return c == '"' ? 2 : 1;
}

/* Inside U&"…", where a control character takes five bytes: \00HH and the
 * backslash, so that the characters are written one by one. */
static void
put_unicode_identifier(struct buffer *out, const char *name)
{
	buffer_put(out, "U&\"", 3);
	for (; *name; name++) {
		uint8_t c = (uint8_t) *name;

		if (is_control(c))
			buffer_printf(out, "\\%04X", c);
		else if (c == '"' || c == '\\')
			buffer_printf(out, "%c%c", c, c);
		else
			buffer_put_u8(out, c);
	}
	buffer_put_u8(out, '"');
}

void
quote_identifier(struct buffer *out, const char *name)
{
	size_t start = out->len, len = strlen(name);

	if (has_control((const uint8_t *) name, len)) {
		put_unicode_identifier(out, name);
		return;
	}
	buffer_put(out, name, len);
	if (!is_plain(name))
		quote_tail(out, start, "\"", "\"", escape_identifier);
}
