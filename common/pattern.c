#include "pattern.h"

#include <stdlib.h>
#include <string.h>

static const char out_of_memory[] = "out of memory";

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Reads a quoted part from behind its opening quote; NULL: no closing quote. */
static const char *
parse_quoted(const char *at, char *out, size_t *len)
{
	for (; *at; at++) {
		if (*at == '"' && at[1] != '"')
			return at + 1;
		if (*at == '"')
			at++;
		out[(*len)++] = *at;
	}
	return NULL;
}

static const char *
parse_bare(const char *at, char *out, size_t *len)
{
	while (*at && !strchr(".,\" \t\n", *at))
		out[(*len)++] = fold(*at++);
	return at;
}

/* Reads one part at *at and moves behind it. */
static const char *
parse_part(const char **at, struct pattern_part *part)
{
	bool quoted = **at == '"';
	size_t len = 0;
	const char *end;

	part->text = malloc(strlen(*at) + 1);
	if (!part->text)
		return out_of_memory;
	end = quoted ? parse_quoted(*at + 1, part->text, &len) : parse_bare(*at, part->text, &len);
	part->text[len] = '\0';
	part->literal = quoted || !strpbrk(part->text, "*?");
	if (!end)
		return "a quoted name has no closing quote";
	if (len == 0)
		return "a name is empty";
	*at = end;
	return NULL;
}

static const char *
parse_pattern(const char **at, struct pattern *pattern)
{
	const char *problem;

	*pattern = (struct pattern){0};
	problem = parse_part(at, &pattern->schema);
	if (problem)
		return problem;
	if (**at != '.')
		return "a table is named with its schema, as in public.orders";
	(*at)++;
	return parse_part(at, &pattern->table);
}

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t\n");
}

const char *
pattern_parse(const char *text, struct pattern *pattern)
{
	const char *at = skip_blanks(text);
	const char *problem = parse_pattern(&at, pattern);

	if (!problem && *skip_blanks(at))
		problem = "something follows the table's name";
	if (problem)
		pattern_free(pattern);
	return problem;
}

void
pattern_free(struct pattern *pattern)
{
	free(pattern->schema.text);
	free(pattern->table.text);
	*pattern = (struct pattern){0};
}

/* * and ? against a name; the last * is the only one worth going back to. */
static bool
wildcard_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *retry = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			retry = name;
		} else if (*pattern == '?') {
			pattern++;
			/* ? is a character, not a byte: skip UTF-8 continuation bytes. */
			do
				name++;
			while (((unsigned char) *name & 0xc0) == 0x80);
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++retry;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

static bool
part_matches(const struct pattern_part *part, const char *name)
{
	return part->literal ? strcmp(part->text, name) == 0 : wildcard_matches(part->text, name);
}

bool
pattern_matches(const struct pattern *pattern, const char *schema, const char *table)
{
	return part_matches(&pattern->schema, schema) && part_matches(&pattern->table, table);
}

bool
pattern_is_literal(const struct pattern *pattern)
{
	return pattern->schema.literal && pattern->table.literal;
}

static const char *
append(struct pattern_list *list, const struct pattern *pattern)
{
	struct pattern *grown = realloc(list->items, (list->count + 1) * sizeof(*grown));

	if (!grown)
		return out_of_memory;
	list->items = grown;
	list->items[list->count++] = *pattern;
	return NULL;
}

/* Reads and keeps the pattern at *at. */
static const char *
append_parsed(struct pattern_list *list, const char **at)
{
	struct pattern pattern;
	const char *problem = parse_pattern(at, &pattern);

	if (!problem)
		problem = append(list, &pattern);
	if (problem)
		pattern_free(&pattern);
	return problem;
}

const char *
pattern_list_add(struct pattern_list *list, const char *text)
{
	struct pattern pattern;
	const char *problem = pattern_parse(text, &pattern);

	if (problem)
		return problem;
	problem = append(list, &pattern);
	if (problem)
		pattern_free(&pattern);
	return problem;
}

const char *
pattern_list_add_all(struct pattern_list *list, const char *text)
{
	const char *at = text;

	for (;;) {
		const char *problem;

		at = skip_blanks(at);
		problem = append_parsed(list, &at);
		if (problem)
			return problem;
		at = skip_blanks(at);
		if (*at == '\0')
			return NULL;
		if (*at++ != ',')
			return "patterns are separated by commas";
	}
}

bool
pattern_list_matches(const struct pattern_list *list, const char *schema, const char *table)
{
	for (unsigned i = 0; i < list->count; i++)
		if (pattern_matches(&list->items[i], schema, table))
			return true;
	return false;
}

void
pattern_list_free(struct pattern_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		pattern_free(&list->items[i]);
	free(list->items);
	*list = (struct pattern_list){0};
}
