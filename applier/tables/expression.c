#include "expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* The tree is read by recursion, and the expression's author controls its depth. */
#define DEPTH_MAX 1000
/* Longer than any label or field name of the server. */
#define WORD_MAX 40

/* ---- what is known; the tables are sorted by name for bsearch() */

/* PostgreSQL 13 and 14 use shorter names for some of them. */
static const char *const nodes[] = {
	"ARRAY",
	"ARRAYCOERCEEXPR",
	"ARRAYEXPR",
	"BOOLEANTEST",
	"BOOLEXPR",
	"CASE",
	"CASEEXPR",
	"CASETESTEXPR",
	"CASEWHEN",
	"COALESCE",
	"COALESCEEXPR",
	"COERCETODOMAIN",
	"COERCETODOMAINVALUE",
	"COERCEVIAIO",
	"COLLATE",
	"COLLATEEXPR",
	"CONST",
	"DISTINCTEXPR",
	"FIELDSELECT",
	"FUNCEXPR",
	"MINMAX",
	"MINMAXEXPR",
	"NAMEDARGEXPR",
	"NULLIFEXPR",
	"NULLTEST",
	"OPEXPR",
	"RELABELTYPE",
	"ROW",
	"ROWEXPR",
	"SCALARARRAYOPEXPR",
	"SQLVALUEFUNCTION", /* current date and time, user, database, schema: all harmless */
	"SUBSCRIPTINGREF",
	"VAR",
	"WHEN",
};

/* What a field holds. FIELD_PLAIN: nested nodes, or a value that names no function or operator. */
enum field_kind { FIELD_PLAIN, FIELD_FUNCTION, FIELD_OPERATOR, FIELD_BYTES };

struct field {
	const char *name;
	enum field_kind kind;
};

static const struct field fields[] = {
	{"arg", FIELD_PLAIN},
	{"argisrow", FIELD_PLAIN},
	{"argnumber", FIELD_PLAIN},
	{"args", FIELD_PLAIN},
	{"array_collid", FIELD_PLAIN},
	{"array_typeid", FIELD_PLAIN},
	{"boolop", FIELD_PLAIN},
	{"booltesttype", FIELD_PLAIN},
	{"casecollid", FIELD_PLAIN},
	{"casetype", FIELD_PLAIN},
	{"coalescecollid", FIELD_PLAIN},
	{"coalescetype", FIELD_PLAIN},
	{"coerceformat", FIELD_PLAIN},
	{"coercionformat", FIELD_PLAIN},
	{"collOid", FIELD_PLAIN},
	{"collation", FIELD_PLAIN},
	{"colnames", FIELD_PLAIN},
	{"constbyval", FIELD_PLAIN},
	{"constcollid", FIELD_PLAIN},
	{"constisnull", FIELD_PLAIN},
	{"constlen", FIELD_PLAIN},
	{"consttype", FIELD_PLAIN},
	{"consttypmod", FIELD_PLAIN},
	{"constvalue", FIELD_BYTES},
	{"defresult", FIELD_PLAIN},
	{"element_typeid", FIELD_PLAIN},
	{"elements", FIELD_PLAIN},
	{"elemexpr", FIELD_PLAIN},
	{"expr", FIELD_PLAIN},
	{"fieldnum", FIELD_PLAIN},
	{"funccollid", FIELD_PLAIN},
	{"funcformat", FIELD_PLAIN},
	{"funcid", FIELD_FUNCTION},
	{"funcresulttype", FIELD_PLAIN},
	{"funcretset", FIELD_PLAIN},
	{"funcvariadic", FIELD_PLAIN},
	{"hashfuncid", FIELD_FUNCTION},
	{"inputcollid", FIELD_PLAIN},
	{"list_end", FIELD_PLAIN},
	{"list_start", FIELD_PLAIN},
	{"location", FIELD_PLAIN},
	{"minmaxcollid", FIELD_PLAIN},
	{"minmaxtype", FIELD_PLAIN},
	{"multidims", FIELD_PLAIN},
	{"name", FIELD_PLAIN},
	{"negfuncid", FIELD_FUNCTION},
	{"nulltesttype", FIELD_PLAIN},
	{"op", FIELD_PLAIN},
	{"opcollid", FIELD_PLAIN},
	{"opfuncid", FIELD_FUNCTION},
	{"opno", FIELD_OPERATOR},
	{"opresulttype", FIELD_PLAIN},
	{"opretset", FIELD_PLAIN},
	{"refassgnexpr", FIELD_PLAIN},
	{"refcollid", FIELD_PLAIN},
	{"refcontainertype", FIELD_PLAIN},
	{"refelemtype", FIELD_PLAIN},
	{"refexpr", FIELD_PLAIN},
	{"reflowerindexpr", FIELD_PLAIN},
	{"refrestype", FIELD_PLAIN},
	{"reftypmod", FIELD_PLAIN},
	{"refupperindexpr", FIELD_PLAIN},
	{"relabelformat", FIELD_PLAIN},
	{"result", FIELD_PLAIN},
	{"resultcollid", FIELD_PLAIN},
	{"resulttype", FIELD_PLAIN},
	{"resulttypmod", FIELD_PLAIN},
	{"row_format", FIELD_PLAIN},
	{"row_typeid", FIELD_PLAIN},
	{"type", FIELD_PLAIN},
	{"typeId", FIELD_PLAIN},
	{"typeMod", FIELD_PLAIN},
	{"typmod", FIELD_PLAIN},
	{"useOr", FIELD_PLAIN},
	{"varattno", FIELD_PLAIN},
	{"varattnosyn", FIELD_PLAIN},
	{"varcollid", FIELD_PLAIN},
	{"varlevelsup", FIELD_PLAIN},
	{"varno", FIELD_PLAIN},
	{"varnosyn", FIELD_PLAIN},
	{"varnullingrels", FIELD_PLAIN},
	{"varreturningtype", FIELD_PLAIN},
	{"vartype", FIELD_PLAIN},
	{"vartypmod", FIELD_PLAIN},
};

/* Immutable, but a variant of it runs the SQL text that it is given. */
static const char *const harmful[] = {"ts_rewrite"};

/*
 * Functions that are not immutable, but only because they depend on settings or the clock or are random.
 * Other such functions are left out: table_to_xml() reads a table, current_setting() a setting, nextval()
 * writes.
 */
static const char *const harmless[] = {
	"age",
	"anytextcat",
	"array_to_string",
	"clock_timestamp",
	"concat",
	"concat_ws",
	"date",
	"date_add",
	"date_eq_timestamptz",
	"date_ge_timestamptz",
	"date_gt_timestamptz",
	"date_le_timestamptz",
	"date_lt_timestamptz",
	"date_ne_timestamptz",
	"date_part",
	"date_subtract",
	"date_trunc",
	"extract",
	"format",
	"gen_random_uuid",
	"interval_pl_timestamptz",
	"make_timestamptz",
	"money",
	"now",
	"numeric",
	"overlaps",
	"random",
	"random_normal",
	"statement_timestamp",
	"textanycat",
	"time",
	"timeofday",
	"timestamp",
	"timestamp_eq_timestamptz",
	"timestamp_ge_timestamptz",
	"timestamp_gt_timestamptz",
	"timestamp_le_timestamptz",
	"timestamp_lt_timestamptz",
	"timestamp_ne_timestamptz",
	"timestamptz",
	"timestamptz_eq_date",
	"timestamptz_eq_timestamp",
	"timestamptz_ge_date",
	"timestamptz_ge_timestamp",
	"timestamptz_gt_date",
	"timestamptz_gt_timestamp",
	"timestamptz_le_date",
	"timestamptz_le_timestamp",
	"timestamptz_lt_date",
	"timestamptz_lt_timestamp",
	"timestamptz_mi_interval",
	"timestamptz_ne_date",
	"timestamptz_ne_timestamp",
	"timestamptz_pl_interval",
	"timetz",
	"timezone",
	"to_char",
	"to_date",
	"to_number",
	"to_timestamp",
	"transaction_timestamp",
	"uuidv4",
	"uuidv7",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static int
compare_name(const void *name, const void *item)
{
	return strcmp(name, *(const char *const *) item);
}

static bool
is_listed(const char *name, const char *const *list, size_t count)
{
	return bsearch(name, list, count, sizeof *list, compare_name) != NULL;
}

/* Works since the name is the first member of struct field. */
static const struct field *
find_field(const char *name)
{
	return bsearch(name, fields, COUNT(fields), sizeof *fields, compare_name);
}

bool
expression_allows(const char *function, char volatility)
{
	if (is_listed(function, harmful, COUNT(harmful)))
		return false;
	return volatility == 'i' || is_listed(function, harmless, COUNT(harmless));
}

/* ---- tokens */

struct reading {
	const char *at;
	unsigned depth;
	expression_visitor visit;
	void *arg;
	char *reason;
};

struct token {
	const char *text;
	size_t len; /* 0: end of the text */
};

static bool
is_bracket(char c)
{
	return c == '(' || c == ')' || c == '{' || c == '}';
}

/*
 * Like the server's pg_strtok() (read.c): a token is a single bracket, or ends at a blank or bracket that
 * no backslash precedes.
 */
static struct token
next(struct reading *r)
{
	struct token token;

	r->at += strspn(r->at, " \n\t");
	token.text = r->at;
	if (is_bracket(*r->at)) {
		r->at++;
	} else {
		while (*r->at && !strchr(" \n\t(){}", *r->at))
			r->at += *r->at == '\\' && r->at[1] ? 2 : 1;
	}
	token.len = (size_t) (r->at - token.text);
	return token;
}

static bool
is(struct token token, char c)
{
	return token.len == 1 && *token.text == c;
}

static bool
unreadable(struct reading *r)
{
	snprintf(r->reason, EXPRESSION_REASON_MAX, "the form in which the server stores it cannot be read");
	return false;
}

static bool
unknown(struct reading *r, const char *word)
{
	snprintf(r->reason, EXPRESSION_REASON_MAX, "%s is not known to be harmless", word);
	return false;
}

/* Copies a token as a string; false if it is longer than any known word. */
static bool
take_word(struct token token, char word[WORD_MAX])
{
	if (token.len == 0 || token.len >= WORD_MAX)
		return false;
	memcpy(word, token.text, token.len);
	word[token.len] = '\0';
	return strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == token.len;
}

/* ---- the tree */

static bool read_value(struct reading *r, struct token first);

static bool
read_oid(struct reading *r, enum expression_object object)
{
	struct token token = next(r);
	char word[WORD_MAX], *end;
	unsigned long oid;

	if (!take_word(token, word) || token.len > 10)
		return unreadable(r);
	oid = strtoul(word, &end, 10);
	if (*end || oid > UINT32_MAX)
		return unreadable(r);
	return oid == 0 || r->visit(r->arg, object, (uint32_t) oid);
}

/* "<>" for a NULL, otherwise like "4 [ 1 0 0 0 0 0 0 0 ]". */
static bool
read_bytes(struct reading *r)
{
	struct token token = next(r);

	if (token.len == 2 && memcmp(token.text, "<>", 2) == 0)
		return true;
	token = next(r);
	if (!is(token, '['))
		return unreadable(r);
	do {
		token = next(r);
		if (token.len == 0 || is_bracket(*token.text))
			return unreadable(r);
	} while (!is(token, ']'));
	return true;
}

static bool
read_field(struct reading *r, struct token token)
{
	char name[WORD_MAX];
	const struct field *field;

	if (*token.text != ':' || !take_word((struct token){.text = token.text + 1, .len = token.len - 1}, name))
		return unreadable(r);
	field = find_field(name);
	if (!field)
		return unknown(r, name);
	switch (field->kind) {
	case FIELD_FUNCTION:
		return read_oid(r, EXPRESSION_FUNCTION);
	case FIELD_OPERATOR:
		return read_oid(r, EXPRESSION_OPERATOR);
	case FIELD_BYTES:
		return read_bytes(r);
	case FIELD_PLAIN:
		break;
	}
	return read_value(r, next(r));
}

/* Reads a node after its opening brace. */
static bool
read_node(struct reading *r)
{
	struct token token;
	char label[WORD_MAX];

	if (!take_word(next(r), label))
		return unreadable(r);
	if (strcmp(label, "NEXTVALUEEXPR") == 0) {
		snprintf(r->reason, EXPRESSION_REASON_MAX, "sequences are not replicated");
		return false;
	}
	if (!is_listed(label, nodes, COUNT(nodes)))
		return unknown(r, label);
	for (token = next(r); !is(token, '}'); token = next(r))
		if (token.len == 0 || !read_field(r, token))
			return token.len ? false : unreadable(r);
	return true;
}

static bool
read_list(struct reading *r)
{
	struct token token;

	for (token = next(r); !is(token, ')'); token = next(r))
		if (!read_value(r, token))
			return false;
	return true;
}

static bool
read_value(struct reading *r, struct token first)
{
	bool ok = true;

	if (first.len == 0 || is(first, ')') || is(first, '}'))
		return unreadable(r);
	if (++r->depth > DEPTH_MAX) {
		snprintf(r->reason, EXPRESSION_REASON_MAX, "the expression is nested too deeply");
		return false;
	}
	if (is(first, '{'))
		ok = read_node(r);
	else if (is(first, '('))
		ok = read_list(r);
	r->depth--;
	return ok;
}

bool
expression_read(const char *tree, expression_visitor visit, void *arg, char reason[EXPRESSION_REASON_MAX])
{
	struct reading r = {.at = tree, .visit = visit, .arg = arg, .reason = reason};
	struct token first = next(&r);

	if (!is(first, '{') && !is(first, '('))
		return unreadable(&r);
	return read_value(&r, first) && (next(&r).len == 0 || unreadable(&r));
}
