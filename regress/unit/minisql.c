#include "minisql.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static bool problem(struct minisql *db, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool
problem(struct minisql *db, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (!db->problem[0])
		vsnprintf(db->problem, sizeof db->problem, fmt, args);
	va_end(args);
	return false;
}

/* ---- tables */

struct minisql_table *
minisql_create(struct minisql *db, const char *name)
{
	struct minisql_table *table = arena_alloc_zero(db->arena, sizeof *table);

	table->name = arena_strdup(db->arena, name);
	table->next = db->tables;
	db->tables = table;
	return table;
}

void
minisql_add_column(struct minisql *db, struct minisql_table *table, const char *name, struct cell fallback)
{
	if (table->column_count == MINISQL_COLUMNS)
		abort();
	table->defaults[table->column_count] = fallback;
	table->columns[table->column_count++] = arena_strdup(db->arena, name);
}

struct minisql_table *
minisql_find(const struct minisql *db, const char *name)
{
	for (struct minisql_table *table = db->tables; table; table = table->next)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static int
find_column(const struct minisql_table *table, const char *name)
{
	for (unsigned i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i], name) == 0)
			return (int) i;
	return -1;
}

static int
compare_cells(struct cell a, struct cell b)
{
	uint32_t len = a.len < b.len ? a.len : b.len;
	int order;

	if (!a.data || !b.data)
		return (a.data != NULL) - (b.data != NULL);
	order = len ? memcmp(a.data, b.data, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool
minisql_same(struct cell a, struct cell b)
{
	return compare_cells(a, b) == 0;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct minisql_table *table = arg;
	struct cell *const *x = a, *const *y = b;

	for (unsigned i = 0; i < table->column_count; i++) {
		int order = compare_cells((*x)[i], (*y)[i]);

		if (order)
			return order;
	}
	return 0;
}

void
minisql_sort(struct minisql_table *table)
{
	if (table->row_count > 1)
		qsort_r(table->rows, table->row_count, sizeof(*table->rows), compare_rows, table);
}

static bool
collides(const struct minisql_table *table, const struct cell *a, const struct cell *b, uint32_t columns)
{
	for (unsigned i = 0; i < table->column_count; i++)
		if ((columns >> i & 1) && (!a[i].data || !b[i].data || !minisql_same(a[i], b[i])))
			return false;
	return true;
}

static bool
check_unique(struct minisql *db, const struct minisql_table *table, const struct cell *row)
{
	for (unsigned u = 0; u < table->unique_count; u++)
		for (unsigned i = 0; i < table->row_count; i++)
			if (table->rows[i] != row && collides(table, table->rows[i], row, table->unique[u]))
				return problem(db, "unique constraint %u of %s violated", u, table->name);
	return true;
}

static bool
insert_row(struct minisql *db, struct minisql_table *table, struct cell *row)
{
	if (table->row_count == table->row_capacity) {
		unsigned capacity = table->row_capacity ? table->row_capacity * 2 : 16;
		struct cell **grown = arena_alloc(db->arena, capacity * sizeof *grown);

		if (table->row_count)
			memcpy(grown, table->rows, table->row_count * sizeof *grown);
		table->rows = grown;
		table->row_capacity = capacity;
	}
	table->rows[table->row_count++] = row;
	return check_unique(db, table, row);
}

static struct cell *
new_row(struct minisql *db, const struct minisql_table *table)
{
	struct cell *row = arena_alloc(db->arena, MINISQL_COLUMNS * sizeof *row);

	memcpy(row, table->defaults, sizeof table->defaults);
	return row;
}

static struct cell
keep(struct minisql *db, const void *data, size_t len)
{
	return (struct cell){arena_copy(db->arena, data, len), (uint32_t) len};
}

/* ---- reading statements */

enum token { TOKEN_END, TOKEN_WORD, TOKEN_NAME, TOKEN_NUMBER, TOKEN_PARAM, TOKEN_OTHER };

struct parser {
	struct minisql *db;
	const char *at;
	enum token kind;
	char text[256];
};

static void
read_quoted(struct parser *p)
{
	size_t len = 0;

	for (p->at++; *p->at; p->at++) {
		if (*p->at == '"' && *++p->at != '"')
			break;
		p->text[len++] = *p->at;
	}
	p->text[len] = '\0';
	p->kind = TOKEN_NAME;
}

static void
read_while(struct parser *p, enum token kind, const char *accepted)
{
	size_t len = strspn(p->at, accepted);

	memcpy(p->text, p->at, len);
	p->text[len] = '\0';
	p->at += len;
	p->kind = kind;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

static void
next(struct parser *p)
{
	while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t')
		p->at++;
	if (*p->at == '\0') {
		p->kind = TOKEN_END;
		p->text[0] = '\0';
	} else if (*p->at == '"') {
		read_quoted(p);
	} else if (strchr(DIGITS, *p->at)) {
		read_while(p, TOKEN_NUMBER, DIGITS);
	} else if (strchr(LETTERS, *p->at)) {
		read_while(p, TOKEN_WORD, LETTERS DIGITS);
	} else if (*p->at == '$') {
		p->at++;
		read_while(p, TOKEN_PARAM, DIGITS);
	} else {
		p->kind = TOKEN_OTHER;
		p->text[0] = *p->at++;
		p->text[1] = '\0';
	}
}

static bool
at(const struct parser *p, const char *text)
{
	return (p->kind == TOKEN_WORD || p->kind == TOKEN_OTHER) && strcasecmp(p->text, text) == 0;
}

static bool
accept(struct parser *p, const char *text)
{
	if (!at(p, text))
		return false;
	next(p);
	return true;
}

/* Words separated by blanks. */
static bool
expect(struct parser *p, const char *words)
{
	char word[64];

	while (sscanf(words, "%63s", word) == 1) {
		if (!accept(p, word))
			return problem(p->db, "expected %s before \"%s%.40s\"", word, p->text, p->at);
		words = strstr(words, word) + strlen(word);
	}
	return true;
}

static bool
read_name(struct parser *p, char *out, size_t out_bytes)
{
	if (p->kind != TOKEN_NAME && p->kind != TOKEN_WORD)
		return problem(p->db, "expected a name before \"%s%.40s\"", p->text, p->at);
	snprintf(out, out_bytes, "%s", p->text);
	next(p);
	return true;
}

#define NAME_BYTES 600

/* table or schema.table */
static bool
read_table_name(struct parser *p, char out[NAME_BYTES])
{
	char name[256];

	if (!read_name(p, out, 256))
		return false;
	if (!accept(p, "."))
		return true;
	if (!read_name(p, name, sizeof name))
		return false;
	strcat(out, ".");
	strcat(out, name);
	return true;
}

static bool
read_table(struct parser *p, struct minisql_table **table)
{
	char name[NAME_BYTES];

	(void) accept(p, "ONLY");
	if (!read_table_name(p, name))
		return false;
	*table = minisql_find(p->db, name);
	return *table || problem(p->db, "no table %s", name);
}

static bool
read_column(struct parser *p, const struct minisql_table *table, unsigned *column)
{
	char name[256];
	int found;

	if (!read_name(p, name, sizeof name))
		return false;
	found = find_column(table, name);
	*column = (unsigned) found;
	return found >= 0 || problem(p->db, "%s has no column %s", table->name, name);
}

/* alias.column */
static bool
read_alias_column(struct parser *p, const char *alias, const struct minisql_table *table, unsigned *column)
{
	return expect(p, alias) && expect(p, ".") && read_column(p, table, column);
}

/* A type, up to the comma or parenthesis after it. */
static void
skip_type(struct parser *p)
{
	unsigned depth = 0;

	while (p->kind != TOKEN_END && (depth > 0 || (!at(p, ",") && !at(p, ")")))) {
		depth += at(p, "(");
		depth -= at(p, ")");
		next(p);
	}
}

struct columns {
	unsigned at[MINISQL_COLUMNS];
	unsigned count;
};

/* (a, b, …), or every column if there is no list. */
static bool
read_column_list(struct parser *p, const struct minisql_table *table, struct columns *columns)
{
	columns->count = 0;
	if (!accept(p, "(")) {
		for (unsigned i = 0; i < table->column_count; i++)
			columns->at[columns->count++] = i;
		return true;
	}
	do {
		if (!read_column(p, table, &columns->at[columns->count++]))
			return false;
	} while (accept(p, ","));
	return expect(p, ")");
}

static bool
at_end(struct parser *p)
{
	return p->kind == TOKEN_END || problem(p->db, "unexpected \"%s%.40s\"", p->text, p->at);
}

/* ---- numbers */

static int64_t
number_of(const struct minisql *db, struct cell cell)
{
	struct reader r;
	char digits[32];

	reader_init(&r, cell.data, cell.len);
	if (!db->text)
		return (int64_t) reader_get_u64(&r);
	snprintf(digits, sizeof digits, "%.*s", (int) cell.len, (const char *) cell.data);
	return strtoll(digits, NULL, 10);
}

/* ---- conditions: alias.column = alias.column, = number, IN (numbers), a truth or IS NULL; or rows that differ */

enum condition_kind { ON_KEY, ON_NUMBER, ON_TRUTH, ON_NULL, ON_DIFFERENCE };

struct condition {
	enum condition_kind kind;
	unsigned t; /* the target's column */
	unsigned s; /* the other one's */
	int64_t numbers[64];
	unsigned number_count;
	/* ON_DIFFERENCE: columns of both; where the bit of the staged row's bitmap is set they are the same. */
	unsigned ts[MINISQL_COLUMNS], ss[MINISQL_COLUMNS];
	int bits[MINISQL_COLUMNS];
	unsigned pairs;
};

#define NO_BIT (-1)

struct join {
	const char *target_alias;
	const char *source_alias;
	const struct minisql_table *target;
	const struct minisql_table *source;
	struct condition conditions[MINISQL_COLUMNS];
	unsigned count;
};

static bool
read_numbers(struct parser *p, struct condition *condition)
{
	do {
		if (p->kind != TOKEN_NUMBER || condition->number_count == 64)
			return problem(p->db, "expected a number before \"%s%.40s\"", p->text, p->at);
		condition->numbers[condition->number_count++] = strtoll(p->text, NULL, 10);
		next(p);
	} while (accept(p, ","));
	return true;
}

static bool
read_key_condition(struct parser *p, const struct join *join, struct condition *condition)
{
	return read_alias_column(p, join->target_alias, join->target, &condition->t) && expect(p, "=") &&
		   read_alias_column(p, join->source_alias, join->source, &condition->s);
}

static bool
read_number_condition(struct parser *p, const struct join *join, struct condition *condition)
{
	condition->kind = ON_NUMBER;
	if (!read_alias_column(p, join->source_alias, join->source, &condition->s))
		return false;
	if (accept(p, "="))
		return read_numbers(p, condition);
	if (accept(p, "IN"))
		return expect(p, "(") && read_numbers(p, condition) && expect(p, ")");
	condition->kind = at(p, "IS") ? ON_NULL : ON_TRUTH;
	return condition->kind == ON_TRUTH || expect(p, "IS NULL");
}

static void
accept_cast(struct parser *p)
{
	if (accept(p, ":") && expect(p, ":"))
		skip_type(p);
}

/* s.c, or CASE WHEN get_bit(s.u, n) = 1 THEN t.c ELSE s.c END */
static bool
read_difference(struct parser *p, const struct join *join, struct condition *c, unsigned pair)
{
	unsigned same;

	c->bits[pair] = NO_BIT;
	if (!accept(p, "CASE"))
		return read_alias_column(p, join->source_alias, join->source, &c->ss[pair]);
	if (!expect(p, "WHEN get_bit ( s . u ,"))
		return false;
	c->bits[pair] = (int) strtol(p->text, NULL, 10);
	next(p);
	if (!expect(p, ") ="))
		return false;
	next(p);
	return expect(p, "THEN") && read_alias_column(p, join->target_alias, join->target, &same) &&
		   (same == c->ts[pair] || problem(p->db, "another column")) && expect(p, "ELSE") &&
		   read_alias_column(p, join->source_alias, join->source, &c->ss[pair]) && expect(p, "END");
}

/* ROW(t.a::type, …)::record *<> ROW(s.b, …)::record */
static bool
read_row_condition(struct parser *p, const struct join *join, struct condition *c)
{
	unsigned pair = 0;

	c->kind = ON_DIFFERENCE;
	if (!expect(p, "ROW ("))
		return false;
	do {
		if (!read_alias_column(p, join->target_alias, join->target, &c->ts[c->pairs++]))
			return false;
		accept_cast(p);
	} while (accept(p, ","));
	if (!expect(p, ") : : record * < > ROW ("))
		return false;
	do {
		if (pair == c->pairs || !read_difference(p, join, c, pair++))
			return problem(p->db, "rows of different lengths");
	} while (accept(p, ","));
	return (pair == c->pairs || problem(p->db, "rows of different lengths")) && expect(p, ") : : record");
}

static bool
read_condition(struct parser *p, const struct join *join, struct condition *condition)
{
	if (at(p, "ROW"))
		return read_row_condition(p, join, condition);
	return at(p, join->source_alias) ? read_number_condition(p, join, condition)
									 : read_key_condition(p, join, condition);
}

static bool
read_conditions(struct parser *p, struct join *join)
{
	if (!expect(p, "WHERE"))
		return false;
	do {
		struct condition *condition = &join->conditions[join->count++];

		*condition = (struct condition){0};
		if (!read_condition(p, join, condition))
			return false;
	} while (accept(p, "AND"));
	return at_end(p);
}

/* "\x…" or the bytes. */
static bool
bit_is_set(const struct minisql *db, struct cell bitmap, int bit)
{
	unsigned byte;

	if (!bitmap.data)
		return false;
	byte = bitmap.data[bit / 8];
	if (db->text && sscanf((const char *) bitmap.data + 2 + bit / 8 * 2, "%2x", &byte) != 1)
		abort();
	return byte >> (bit % 8) & 1;
}

static bool
differs(const struct minisql *db, const struct join *join, const struct condition *c, const struct cell *t,
		const struct cell *s)
{
	for (unsigned i = 0; i < c->pairs; i++)
		if ((c->bits[i] == NO_BIT || !bit_is_set(db, s[find_column(join->source, "u")], c->bits[i])) &&
			!minisql_same(t[c->ts[i]], s[c->ss[i]]))
			return true;
	return false;
}

static bool
is_met(const struct minisql *db, const struct join *join, const struct condition *condition,
	   const struct cell *t, const struct cell *s)
{
	switch (condition->kind) {
	case ON_KEY:
		return t[condition->t].data && s[condition->s].data && minisql_same(t[condition->t], s[condition->s]);
	case ON_TRUTH:
		return s[condition->s].data;
	case ON_NULL:
		return !s[condition->s].data;
	case ON_DIFFERENCE:
		return differs(db, join, condition, t, s);
	default:
		break;
	}
	for (unsigned n = 0; n < condition->number_count; n++)
		if (number_of(db, s[condition->s]) == condition->numbers[n])
			return true;
	return false;
}

static bool
holds(const struct minisql *db, const struct join *join, const struct cell *t, const struct cell *s)
{
	for (unsigned i = 0; i < join->count; i++)
		if (!is_met(db, join, &join->conditions[i], t, s))
			return false;
	return true;
}

/* The one row of the source that matches. */
static bool
find_match(struct minisql *db, const struct join *join, const struct cell *t, const struct cell **match)
{
	*match = NULL;
	for (unsigned i = 0; i < join->source->row_count; i++) {
		if (!holds(db, join, t, join->source->rows[i]))
			continue;
		if (*match)
			return problem(db, "two rows of %s match one of %s", join->source->name, join->target->name);
		*match = join->source->rows[i];
	}
	return true;
}

/* ---- CREATE, TRUNCATE, ANALYZE */

static bool
run_create(struct parser *p)
{
	char name[NAME_BYTES], full[NAME_BYTES + 8];
	struct minisql_table *table;

	if (!expect(p, "TEMP TABLE") || !read_table_name(p, name) || !expect(p, "("))
		return false;
	snprintf(full, sizeof full, "pg_temp.%s", name);
	if (minisql_find(p->db, full))
		return problem(p->db, "%s exists already", full);
	table = minisql_create(p->db, full);
	do {
		if (!read_name(p, name, sizeof name))
			return false;
		minisql_add_column(p->db, table, name, (struct cell){0});
		skip_type(p);
	} while (accept(p, ","));
	return expect(p, ") ON COMMIT DELETE ROWS");
}

static bool
run_truncate(struct parser *p)
{
	struct minisql_table *table;

	do {
		if (!read_table(p, &table))
			return false;
		table->row_count = 0;
	} while (accept(p, ","));
	return (!accept(p, "RESTART") || expect(p, "IDENTITY")) && at_end(p);
}

static bool
run_analyze(struct parser *p)
{
	struct minisql_table *table;

	return read_table(p, &table) && at_end(p);
}

/* ---- COPY */

static bool
take_binary_field(struct minisql *db, struct reader *r, struct cell *cell)
{
	uint32_t len = reader_get_u32(r);

	*cell = (struct cell){0};
	if (len != UINT32_MAX)
		*cell = keep(db, reader_get(r, len), r->failed ? 0 : len);
	return !r->failed || problem(db, "binary COPY data ends too early");
}

static bool
copy_binary(struct minisql *db, struct minisql_table *table, const struct columns *columns, struct reader *r,
			int64_t *affected)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
	const uint8_t *start = reader_get(r, sizeof head);

	if (!start || memcmp(start, head, sizeof head) != 0)
		return problem(db, "binary COPY data has no head");
	for (;;) {
		uint16_t fields = reader_get_u16(r);
		struct cell *row;

		if (fields == UINT16_MAX)
			return reader_left(r) == 0 || problem(db, "binary COPY data goes on behind its end");
		if (r->failed || fields != columns->count)
			return problem(db, "%u fields for %u columns", fields, columns->count);
		row = new_row(db, table);
		for (unsigned i = 0; i < fields; i++)
			if (!take_binary_field(db, r, &row[columns->at[i]]))
				return false;
		if (!insert_row(db, table, row))
			return false;
		++*affected;
	}
}

static bool
unescape(struct minisql *db, struct reader *r, uint8_t *out, size_t *len)
{
	switch (reader_get_u8(r)) {
	case 'n':
		out[(*len)++] = '\n';
		return true;
	case 'r':
		out[(*len)++] = '\r';
		return true;
	case 't':
		out[(*len)++] = '\t';
		return true;
	case '\\':
		out[(*len)++] = '\\';
		return true;
	default:
		return problem(db, "unknown escape in COPY data");
	}
}

/* A field up to the tab or newline that ends it, which is returned. */
static bool
take_text_field(struct minisql *db, struct reader *r, struct cell *cell, uint8_t *end)
{
	uint8_t *out = arena_alloc(db->arena, reader_left(r) + 1);
	size_t len = 0;

	*cell = (struct cell){0};
	if (reader_left(r) >= 3 && memcmp(r->data + r->pos, "\\N", 2) == 0 &&
		strchr("\t\n", r->data[r->pos + 2])) {
		r->pos += 2;
		*end = reader_get_u8(r);
		return true;
	}
	for (;;) {
		uint8_t byte = reader_get_u8(r);

		if (r->failed || byte == '\r')
			return problem(db, "text COPY data ends too early, or has a bare CR");
		if (byte == '\t' || byte == '\n') {
			*cell = (struct cell){out, (uint32_t) len};
			*end = byte;
			return true;
		}
		if (byte != '\\')
			out[len++] = byte;
		else if (!unescape(db, r, out, &len))
			return false;
	}
}

static bool
copy_text(struct minisql *db, struct minisql_table *table, const struct columns *columns, struct reader *r,
		  int64_t *affected)
{
	while (reader_left(r) > 0) {
		struct cell *row = new_row(db, table);
		uint8_t end = 0;

		for (unsigned i = 0; i < columns->count; i++)
			if (!take_text_field(db, r, &row[columns->at[i]], &end) ||
				end != (i + 1 < columns->count ? '\t' : '\n'))
				return problem(db, "wrong number of fields in COPY data");
		if (!insert_row(db, table, row))
			return false;
		++*affected;
	}
	return true;
}

static bool
run_copy(struct parser *p, struct bytes copied, int64_t *affected)
{
	struct minisql_table *table;
	struct columns columns;
	struct reader r;

	if (!read_table(p, &table) || !read_column_list(p, table, &columns) || !expect(p, "FROM STDIN"))
		return false;
	if (p->db->text == at(p, "WITH"))
		return problem(p->db, "the COPY is of the other format");
	if (!p->db->text && !expect(p, "WITH BINARY"))
		return false;
	reader_init(&r, copied.data, copied.len);
	return at_end(p) && (p->db->text ? copy_text(p->db, table, &columns, &r, affected)
									 : copy_binary(p->db, table, &columns, &r, affected));
}

/* ---- arrays of parameters */

static bool
binary_array(struct minisql *db, const struct param *param, struct minisql_table *rows, unsigned column)
{
	struct reader r;
	uint32_t dimensions, nulls, count, found = 0;

	reader_init(&r, param->data, param->len);
	dimensions = reader_get_u32(&r);
	nulls = reader_get_u32(&r);
	(void) reader_get_u32(&r);
	count = reader_get_u32(&r);
	if (!param->binary || dimensions != 1 || nulls > 1 || reader_get_u32(&r) != 1)
		return problem(db, "a malformed array");
	for (uint32_t i = 0; i < count; i++) {
		if (column == 0 && !insert_row(db, rows, new_row(db, rows)))
			return false;
		if (i >= rows->row_count || !take_binary_field(db, &r, &rows->rows[i][column]))
			return problem(db, "arrays of different lengths");
		found |= !rows->rows[i][column].data;
	}
	if (found != nulls)
		return problem(db, "an array says other than it does whether it has NULLs");
	return (reader_left(&r) == 0 && count == rows->row_count) || problem(db, "an array goes on");
}

static bool
text_array(struct minisql *db, const struct param *param, struct minisql_table *rows, unsigned column)
{
	const char *from = param->data;
	unsigned count = 0;

	if (param->binary || *from++ != '{')
		return problem(db, "a malformed array");
	for (; *from != '}'; count++) {
		uint8_t *out = arena_alloc(db->arena, strlen(from));
		uint32_t len = 0;

		bool null;

		from += strspn(from, " ,");
		null = strncmp(from, "NULL", 4) == 0;
		from += null ? 4 : 0;
		if (!null && *from++ != '"')
			return problem(db, "a malformed array");
		for (; !null && *from != '"'; from++) {
			from += *from == '\\';
			if (!*from)
				return problem(db, "an array without an end");
			out[len++] = (uint8_t) *from;
		}
		from += !null;
		if (column == 0 && !insert_row(db, rows, new_row(db, rows)))
			return false;
		if (count >= rows->row_count)
			return problem(db, "arrays of different lengths");
		rows->rows[count][column] = null ? (struct cell){0} : (struct cell){out, len};
	}
	return count == rows->row_count || problem(db, "arrays of different lengths");
}

/* unnest($1::type[], …) AS alias(a, …) */
static bool
read_unnest(struct parser *p, const char *alias, const struct param *params, struct minisql_table *rows)
{
	char name[256];
	unsigned count = 0;

	if (!expect(p, "("))
		return false;
	do {
		if (p->kind != TOKEN_PARAM || (unsigned) strtol(p->text, NULL, 10) != count + 1)
			return problem(p->db, "expected $%u", count + 1);
		minisql_add_column(p->db, rows, "", (struct cell){0});
		if (!(p->db->text ? text_array : binary_array)(p->db, &params[count], rows, count))
			return false;
		count++;
		skip_type(p);
	} while (accept(p, ","));
	if (!expect(p, ") AS") || !expect(p, alias) || !expect(p, "("))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!read_name(p, name, sizeof name) || !expect(p, i + 1 < count ? "," : ")"))
			return problem(p->db, "the arrays have other names");
		rows->columns[i] = arena_strdup(p->db->arena, name);
	}
	return true;
}

/* A type, up to what follows it in a condition. */
static void
skip_cast(struct parser *p)
{
	unsigned depth = 0;

	while (p->kind != TOKEN_END && (depth > 0 || (!at(p, "AND") && !at(p, ")")))) {
		depth += at(p, "(");
		depth -= at(p, ")");
		next(p);
	}
}

/* $n as a cell; an array's parameters are read elsewhere. */
static bool
read_any_param(struct parser *p, const struct param *params, struct cell *cell)
{
	unsigned number = (unsigned) strtol(p->text, NULL, 10);
	const struct param *param = &params[number - 1];

	if (p->kind != TOKEN_PARAM || number == 0)
		return problem(p->db, "expected a parameter");
	if (param->data && param->binary == p->db->text)
		return problem(p->db, "$%u has the wrong format", number);
	next(p);
	*cell = (struct cell){0};
	if (param->data)
		*cell = keep(p->db, param->data, param->binary ? param->len : strlen(param->data));
	return true;
}

static bool
read_param(struct parser *p, const struct param *params, unsigned number, struct cell *cell)
{
	if (p->kind != TOKEN_PARAM || (unsigned) strtol(p->text, NULL, 10) != number)
		return problem(p->db, "expected $%u", number);
	return read_any_param(p, params, cell);
}

/* Columns of a row and the values that they are compared with. */
struct comparison {
	unsigned columns[MINISQL_COLUMNS];
	struct cell values[MINISQL_COLUMNS];
	unsigned count;
};

/* t.a = $n::type AND …, up to something else */
static bool
read_key_params(struct parser *p, const struct minisql_table *table, const struct param *params,
				struct comparison *key)
{
	do {
		if (at(p, "ROW"))
			return true;
		if (!read_alias_column(p, "t", table, &key->columns[key->count]) || !expect(p, "=") ||
			!read_any_param(p, params, &key->values[key->count++]))
			return false;
		skip_cast(p);
	} while (accept(p, "AND"));
	return true;
}

static bool
has_key(const struct cell *row, const struct comparison *key)
{
	for (unsigned i = 0; i < key->count; i++)
		if (!key->values[i].data || !row[key->columns[i]].data ||
			!minisql_same(key->values[i], row[key->columns[i]]))
			return false;
	return true;
}

/* ROW(t.a::type, …)::record *<> ROW($n::type, …)::record; nothing: it differs. */
static bool
read_param_difference(struct parser *p, const struct minisql_table *table, const struct param *params,
					  struct comparison *row)
{
	unsigned at_value = 0;

	if (p->kind == TOKEN_END)
		return true;
	if (!expect(p, "ROW ("))
		return false;
	do {
		if (!read_alias_column(p, "t", table, &row->columns[row->count++]))
			return false;
		accept_cast(p);
	} while (accept(p, ","));
	if (!expect(p, ") : : record * < > ROW ("))
		return false;
	do {
		if (!read_any_param(p, params, &row->values[at_value++]))
			return false;
		accept_cast(p);
	} while (accept(p, ","));
	return at_value == row->count && expect(p, ") : : record") && at_end(p);
}

static bool
row_differs(const struct cell *row, const struct comparison *with)
{
	for (unsigned i = 0; i < with->count; i++)
		if (!minisql_same(row[with->columns[i]], with->values[i]))
			return true;
	return with->count == 0;
}

/* ---- DELETE */

static void
delete_row(struct minisql_table *table, unsigned row)
{
	table->rows[row] = table->rows[--table->row_count];
}

static bool
delete_joined(struct parser *p, struct minisql_table *target, const char *alias,
			  const struct minisql_table *source, int64_t *affected)
{
	struct join join = {.target_alias = "t", .source_alias = alias, .target = target, .source = source};

	if (!read_conditions(p, &join))
		return false;
	for (unsigned i = 0; i < target->row_count;) {
		const struct cell *match;

		if (!find_match(p->db, &join, target->rows[i], &match))
			return false;
		if (!match) {
			i++;
			continue;
		}
		delete_row(target, i);
		++*affected;
	}
	return true;
}

/* row(alias.a, alias.b, …)::text, wherever it comes next. */
static bool
read_image(struct parser *p, const char *alias, const struct minisql_table *table, struct columns *columns)
{
	columns->count = 0;
	while (p->kind != TOKEN_END && !at(p, "row"))
		next(p);
	if (!expect(p, "row ("))
		return false;
	do {
		if (!read_alias_column(p, alias, table, &columns->at[columns->count++]))
			return false;
	} while (accept(p, ","));
	return expect(p, ") : : text");
}

static bool
same_image(const struct cell *a, const struct columns *x, const struct cell *b, const struct columns *y)
{
	for (unsigned i = 0; i < x->count; i++)
		if (!minisql_same(a[x->at[i]], b[y->at[i]]))
			return false;
	return x->count == y->count;
}

/* EXISTS (SELECT 1 FROM staging AS s WHERE t.a = s.c1 AND …), if it comes next but some words; nothing: no columns. */
static bool
read_probes(struct parser *p, const struct minisql_table *target, const struct minisql_table *staged,
			struct columns *probed, struct columns *probes)
{
	probed->count = probes->count = 0;
	while (p->kind != TOKEN_END && !at(p, "EXISTS"))
		next(p);
	if (p->kind == TOKEN_END)
		return true;
	while (p->kind != TOKEN_END && !at(p, "WHERE"))
		next(p);
	if (!expect(p, "WHERE"))
		return false;
	do {
		if (!read_alias_column(p, "t", target, &probed->at[probed->count++]) || !expect(p, "=") ||
			!read_alias_column(p, "s", staged, &probes->at[probes->count++]))
			return false;
	} while (accept(p, "AND"));
	return expect(p, ") OFFSET");
}

/* Whether a staged row has equal values in these columns; a NULL equals nothing. */
static bool
is_probed(const struct cell *row, const struct columns *probed, const struct minisql_table *staged,
		  const struct columns *probes)
{
	for (unsigned i = 0; probed->count > 0 && i < staged->row_count; i++) {
		bool same = true;

		for (unsigned k = 0; k < probed->count; k++)
			same = same && row[probed->at[k]].data &&
				   minisql_same(row[probed->at[k]], staged->rows[i][probes->at[k]]);
		if (same)
			return true;
	}
	return probed->count == 0;
}

/*
 * The statement has too many parts to interpret all of them: what is compared
 * with what and which staging table is read, the rest is its meaning.
 */
static bool
delete_counted(struct parser *p, struct minisql_table *target, int64_t *affected)
{
	const char *staged_name = strstr(p->at, "pg_temp.");
	struct columns t, s, probed, probes;
	struct parser from = {.db = p->db, .at = staged_name ? staged_name : ""};
	struct minisql_table *staged;
	unsigned n;

	next(&from);
	if (!read_table(&from, &staged) || !read_image(p, "s", staged, &s) || !read_image(p, "t", target, &t))
		return false;
	if (!read_probes(p, target, staged, &probed, &probes))
		return false;
	n = (unsigned) find_column(staged, "n");
	for (unsigned i = 0; i < staged->row_count; i++) {
		int64_t left = number_of(p->db, staged->rows[i][n]);

		for (unsigned row = 0; left > 0 && row < target->row_count;) {
			if (!same_image(target->rows[row], &t, staged->rows[i], &s) ||
				!is_probed(target->rows[row], &probed, staged, &probes)) {
				row++;
				continue;
			}
			delete_row(target, row);
			left--;
			++*affected;
		}
	}
	return true;
}

/* WHERE t.a = $1::type AND …, perhaps only where the row differs from others of the parameters. */
static bool
delete_one(struct parser *p, struct minisql_table *target, const struct param *params, int64_t *affected)
{
	struct comparison key = {.count = 0}, guarded = {.count = 0};

	if (!read_key_params(p, target, params, &key) || !read_param_difference(p, target, params, &guarded))
		return false;
	for (unsigned row = 0; row < target->row_count;) {
		if (!has_key(target->rows[row], &key) || !row_differs(target->rows[row], &guarded)) {
			row++;
			continue;
		}
		delete_row(target, row);
		++*affected;
	}
	return true;
}

static bool
run_delete(struct parser *p, const struct param *params, int64_t *affected)
{
	struct minisql_table *target, *source;

	if (!expect(p, "FROM") || !read_table(p, &target) || !expect(p, "AS t"))
		return false;
	if (accept(p, "WHERE"))
		return delete_one(p, target, params, affected);
	if (!expect(p, "USING"))
		return false;
	if (accept(p, "unnest")) {
		struct minisql_table rows = {.name = "unnest"};

		return read_unnest(p, "k", params, &rows) && delete_joined(p, target, "k", &rows, affected);
	}
	if (strstr(p->at, "row_number()"))
		return delete_counted(p, target, affected);
	return read_table(p, &source) && expect(p, "AS s") && delete_joined(p, target, "s", source, affected);
}

/* ---- UPDATE */

#define FROM_TRUTH MINISQL_COLUMNS

struct assignments {
	unsigned to[MINISQL_COLUMNS];
	unsigned from[MINISQL_COLUMNS];
	int bit[MINISQL_COLUMNS]; /* of the staged row's bitmap: where it is set, from t, otherwise from s */
	unsigned else_from[MINISQL_COLUMNS];
	unsigned count;
};

/* CASE WHEN get_bit(s.u, n) = 1 THEN t.a ELSE s.b END */
static bool
read_case(struct parser *p, const struct minisql_table *t, const struct minisql_table *s,
		  struct assignments *list)
{
	if (!expect(p, "WHEN get_bit ( s . u ,"))
		return false;
	list->bit[list->count] = (int) strtol(p->text, NULL, 10);
	next(p);
	if (!expect(p, ") =") || strcmp(p->text, "1") != 0)
		return problem(p->db, "a bit is compared with \"%s\"", p->text);
	next(p);
	return expect(p, "THEN") && read_alias_column(p, "t", t, &list->from[list->count]) && expect(p, "ELSE") &&
		   read_alias_column(p, "s", s, &list->else_from[list->count]) && expect(p, "END");
}

/* The other table is named after the list, so its columns are resolved later. */
static bool
read_assignments(struct parser *p, const struct minisql_table *target, const char *alias,
				 const struct minisql_table *source, struct assignments *list)
{
	bool fill = alias[0] == 't';

	do {
		if (!read_column(p, target, &list->to[list->count]) || !expect(p, "="))
			return false;
		list->bit[list->count] = NO_BIT;
		if (accept(p, "CASE")) {
			if (!read_case(p, fill ? source : target, fill ? target : source, list))
				return false;
		} else if (accept(p, "true"))
			list->from[list->count] = FROM_TRUTH;
		else if (!read_alias_column(p, alias, source, &list->from[list->count]))
			return false;
		list->count++;
	} while (accept(p, ","));
	return true;
}

static bool
update_row(struct minisql *db, struct minisql_table *target, struct cell *row, const struct cell *match,
		   const struct assignments *list, bool fill, int bitmap)
{
	static const struct cell truth = {(const uint8_t *) "t", 1};
	const struct cell *t = fill ? match : row, *s = fill ? row : match;

	for (unsigned i = 0; i < list->count; i++) {
		if (list->bit[i] != NO_BIT)
			row[list->to[i]] =
				bit_is_set(db, s[bitmap], list->bit[i]) ? t[list->from[i]] : s[list->else_from[i]];
		else
			row[list->to[i]] = list->from[i] == FROM_TRUTH ? truth : match[list->from[i]];
	}
	return check_unique(db, target, row);
}

/* SET a = $2, … WHERE t.k = $1::type AND … */
static bool
update_one(struct parser *p, struct minisql_table *target, const struct param *params, int64_t *affected)
{
	struct comparison set = {.count = 0}, key = {.count = 0};

	do {
		if (!read_column(p, target, &set.columns[set.count]) || !expect(p, "=") ||
			!read_any_param(p, params, &set.values[set.count++]))
			return false;
	} while (accept(p, ","));
	if (!expect(p, "WHERE") || !read_key_params(p, target, params, &key) || !at_end(p))
		return false;
	for (unsigned row = 0; row < target->row_count; row++) {
		if (!has_key(target->rows[row], &key))
			continue;
		for (unsigned i = 0; i < set.count; i++)
			target->rows[row][set.columns[i]] = set.values[i];
		++*affected;
		if (!check_unique(p->db, target, target->rows[row]))
			return false;
	}
	return true;
}

/* UPDATE target AS t SET … FROM staging AS s, or the other way round (FILL). */
static bool
run_update(struct parser *p, const struct param *params, int64_t *affected)
{
	struct minisql_table *updated, *other;
	struct assignments list = {.count = 0};
	struct parser from = {.db = p->db};
	struct join join = {.target_alias = "t", .source_alias = "s"};
	struct minisql_table rows = {.name = "unnest"};
	const char *found = strstr(p->at, " FROM ");
	bool fill;

	if (!found)
		return read_table(p, &updated) && expect(p, "AS t SET") && update_one(p, updated, params, affected);
	from.at = found + strlen(" FROM ");
	next(&from);
	if (!read_table(p, &updated) || !expect(p, "AS"))
		return false;
	if (accept(&from, "unnest")) {
		if (!read_unnest(&from, "s", params, &rows))
			return false;
		other = &rows;
	} else if (!read_table(&from, &other)) {
		return false;
	}
	fill = at(p, "s");
	next(p);
	if (!expect(p, "SET") || !read_assignments(p, updated, fill ? "t" : "s", other, &list) ||
		!expect(p, "FROM") || (other != &rows && !expect(&from, fill ? "AS t" : "AS s")))
		return false;
	join.target = fill ? other : updated;
	join.source = fill ? updated : other;
	if (!read_conditions(&from, &join))
		return false;
	for (unsigned i = 0; i < updated->row_count; i++) {
		const struct cell *match = NULL;
		unsigned matches = 0;

		for (unsigned k = 0; k < other->row_count; k++) {
			const struct cell *u = updated->rows[i], *o = other->rows[k];

			if (!holds(p->db, &join, fill ? o : u, fill ? u : o))
				continue;
			match = o;
			matches++;
		}
		if (matches > 1)
			return problem(p->db, "%u rows of %s match one of %s", matches, other->name, updated->name);
		if (!match)
			continue;
		if (!update_row(p->db, updated, updated->rows[i], match, &list, fill, find_column(join.source, "u")))
			return false;
		++*affected;
	}
	return true;
}

/* ---- INSERT … VALUES, INSERT … SELECT */

static bool
insert_one(struct parser *p, const struct param *params, int64_t *affected)
{
	struct minisql_table *target;
	struct columns to;
	struct cell *row;

	if (!expect(p, "INTO") || !read_table(p, &target) || !read_column_list(p, target, &to))
		return false;
	if (accept(p, "OVERRIDING") && !expect(p, "SYSTEM VALUE"))
		return false;
	if (!expect(p, "VALUES ("))
		return false;
	row = new_row(p->db, target);
	for (unsigned i = 0; i < to.count; i++)
		if (!read_param(p, params, i + 1, &row[to.at[i]]) || !expect(p, i + 1 < to.count ? "," : ")"))
			return false;
	*affected = 1;
	return at_end(p) && insert_row(p->db, target, row);
}

/* SELECT $1::type, … WHERE NOT EXISTS (SELECT 1 FROM target AS t WHERE t.k = $n::type …) */
static bool
insert_missing(struct parser *p, const struct param *params, int64_t *affected)
{
	struct minisql_table *target, *looked;
	struct comparison key = {.count = 0};
	struct columns to;
	struct cell *row;

	if (!expect(p, "INTO") || !read_table(p, &target) || !read_column_list(p, target, &to))
		return false;
	if (accept(p, "OVERRIDING") && !expect(p, "SYSTEM VALUE"))
		return false;
	if (!expect(p, "SELECT"))
		return false;
	row = new_row(p->db, target);
	for (unsigned i = 0; i < to.count; i++) {
		if (!read_param(p, params, i + 1, &row[to.at[i]]) || !expect(p, ": :"))
			return false;
		while (p->kind != TOKEN_END && !at(p, i + 1 < to.count ? "," : "WHERE"))
			next(p);
		if (!expect(p, i + 1 < to.count ? "," : "WHERE"))
			return false;
	}
	/* "1" is a number. */
	if (!expect(p, "NOT EXISTS ( SELECT"))
		return false;
	next(p);
	if (!expect(p, "FROM") || !read_table(p, &looked) || !expect(p, "AS t WHERE") ||
		!read_key_params(p, looked, params, &key) || !expect(p, ")") || !at_end(p))
		return false;
	for (unsigned i = 0; i < looked->row_count; i++)
		if (has_key(looked->rows[i], &key))
			return true;
	*affected = 1;
	return insert_row(p->db, target, row);
}

static bool
run_insert(struct parser *p, const struct param *params, int64_t *affected)
{
	struct minisql_table *target, *source;
	struct columns to;
	unsigned from[MINISQL_COLUMNS];
	struct join join = {.target_alias = "", .source_alias = "s"};
	struct parser behind = {.db = p->db};
	const char *found = strstr(p->at, " FROM ");

	if (strstr(p->at, " WHERE NOT EXISTS ("))
		return insert_missing(p, params, affected);
	if (strstr(p->at, " VALUES ("))
		return insert_one(p, params, affected);
	if (!found || !expect(p, "INTO") || !read_table(p, &target) || !read_column_list(p, target, &to))
		return problem(p->db, "an INSERT without FROM");
	if (accept(p, "OVERRIDING") && !expect(p, "SYSTEM VALUE"))
		return false;
	behind.at = found + strlen(" FROM ");
	next(&behind);
	if (!expect(p, "SELECT") || !read_table(&behind, &source) || !expect(&behind, "AS s"))
		return false;
	for (unsigned i = 0; i < to.count; i++)
		if (!read_alias_column(p, "s", source, &from[i]) || !expect(p, i + 1 < to.count ? "," : "FROM"))
			return false;
	join.target = target;
	join.source = source;
	if (!read_conditions(&behind, &join))
		return false;
	for (unsigned i = 0; i < source->row_count; i++) {
		struct cell *row;

		if (!holds(p->db, &join, NULL, source->rows[i]))
			continue;
		row = new_row(p->db, target);
		for (unsigned c = 0; c < to.count; c++)
			row[to.at[c]] = source->rows[i][from[c]];
		if (!insert_row(p->db, target, row))
			return false;
		++*affected;
	}
	return true;
}

bool
minisql_execute(struct minisql *db, const char *sql, const struct param *params, struct bytes copied,
				int64_t *affected)
{
	struct parser p = {.db = db, .at = sql};

	*affected = 0;
	db->problem[0] = '\0';
	next(&p);
	if (accept(&p, "CREATE"))
		return run_create(&p);
	if (accept(&p, "TRUNCATE"))
		return run_truncate(&p);
	if (accept(&p, "ANALYZE"))
		return run_analyze(&p);
	if (accept(&p, "COPY"))
		return run_copy(&p, copied, affected);
	if (accept(&p, "DELETE"))
		return run_delete(&p, params, affected);
	if (accept(&p, "UPDATE"))
		return run_update(&p, params, affected);
	if (accept(&p, "INSERT"))
		return run_insert(&p, params, affected);
	/* Planner settings do not change the result. */
	*affected = strncmp(sql, "SELECT set_config(", 18) == 0;
	if (*affected || accept(&p, "SET"))
		return true;
	return problem(db, "an unknown statement: %.60s", sql);
}
