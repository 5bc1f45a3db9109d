#include "pattern.h"

#include <stdlib.h>
#include <string.h>

static const char out_of_memory[] = "out of memory";

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

/* Reads a quoted part after its opening quote; NULL: the closing quote is missing. */
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

/* So many bytes are enough for the part's text; only a part without a closing quote is read any further. */
static size_t
part_bytes(const char *at)
{
	const char *end = at + 1;

	if (*at != '"')
		return strcspn(at, ".,\" \t\n");
	while (*end && (*end != '"' || *++end == '"'))
		end++;
	return (size_t) (end - at);
}

/* Reads one part at *at and moves past it. */
static const char *
parse_part(const char **at, struct pattern_part *part)
{
	bool quoted = **at == '"';
	size_t len = 0;
	const char *end;

	part->text = malloc(part_bytes(*at) + 1);
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

/* Matches * and ?.  After a mismatch only the last * has to be extended, never an earlier one. */
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

/* ---- lists */

static bool
grow(struct pattern_array *array)
{
	unsigned capacity = array->capacity ? 2 * array->capacity : 8;
	struct pattern *grown;

	if (array->count < array->capacity)
		return true;
	grown = realloc(array->items, capacity * sizeof(*grown));
	if (!grown)
		return false;
	array->items = grown;
	array->capacity = capacity;
	return true;
}

/* FNV-1a, over both names with their terminators. */
static uint32_t
hash_name(const char *schema, const char *table)
{
	uint32_t hash = 2166136261u;

	for (const char *at = schema; *at; at++)
		hash = (hash ^ (unsigned char) *at) * 16777619u;
	hash *= 16777619u;
	for (const char *at = table; *at; at++)
		hash = (hash ^ (unsigned char) *at) * 16777619u;
	return hash ^ hash >> 15;
}

static void
enter(struct pattern_list *list, uint32_t position)
{
	const struct pattern *name = &list->names.items[position];
	uint32_t at = hash_name(name->schema.text, name->table.text);

	while (list->slots[at & (list->slot_count - 1)])
		at++;
	list->slots[at & (list->slot_count - 1)] = position + 1;
}

uint32_t
pattern_list_find(const struct pattern_list *list, const char *schema, const char *table)
{
	uint32_t position;

	if (list->slot_count == 0)
		return PATTERN_NONE;
	for (uint32_t at = hash_name(schema, table); (position = list->slots[at & (list->slot_count - 1)]); at++)
		if (pattern_matches(&list->names.items[position - 1], schema, table))
			return position - 1;
	return PATTERN_NONE;
}

/* Makes room for one more slot. */
static bool
grow_slots(struct pattern_list *list)
{
	uint32_t count = list->slot_count ? 2 * list->slot_count : 16;
	uint32_t *slots;

	if (2 * (list->names.count + 1) <= list->slot_count)
		return true;
	slots = calloc(count, sizeof *slots);
	if (!slots)
		return false;
	free(list->slots);
	list->slots = slots;
	list->slot_count = count;
	for (uint32_t i = 0; i < list->names.count; i++)
		enter(list, i);
	return true;
}

static const char *
append(struct pattern_list *list, struct pattern *pattern)
{
	bool literal = pattern_is_literal(pattern);
	struct pattern_array *array = literal ? &list->names : &list->wild;

	if (literal && pattern_list_find(list, pattern->schema.text, pattern->table.text) != PATTERN_NONE) {
		pattern_free(pattern);
		return NULL;
	}
	if (!grow(array) || (literal && !grow_slots(list)))
		return out_of_memory;
	array->items[array->count++] = *pattern;
	list->count++;
	if (literal)
		enter(list, list->names.count - 1);
	return NULL;
}

/* Adds the pattern to the list unless reading it had a problem. */
static const char *
keep(struct pattern_list *list, struct pattern *pattern, const char *problem)
{
	if (!problem)
		problem = append(list, pattern);
	if (problem)
		pattern_free(pattern);
	return problem;
}

const char *
pattern_list_add(struct pattern_list *list, const char *text)
{
	struct pattern pattern;
	const char *problem = pattern_parse(text, &pattern);

	return keep(list, &pattern, problem);
}

const char *
pattern_list_take(struct pattern_list *list, const char **at)
{
	struct pattern pattern;
	const char *next = skip_blanks(*at);
	const char *problem = parse_pattern(&next, &pattern);

	problem = keep(list, &pattern, problem);
	if (problem)
		return problem;
	next = skip_blanks(next);
	if (*next && *next != ',')
		return "patterns are separated by commas";
	*at = *next ? next + 1 : NULL;
	return NULL;
}

const char *
pattern_list_add_all(struct pattern_list *list, const char *text)
{
	const char *problem = NULL;

	while (text && !problem)
		problem = pattern_list_take(list, &text);
	return problem;
}

bool
pattern_list_matches(const struct pattern_list *list, const char *schema, const char *table)
{
	if (pattern_list_find(list, schema, table) != PATTERN_NONE)
		return true;
	for (unsigned i = 0; i < list->wild.count; i++)
		if (pattern_matches(&list->wild.items[i], schema, table))
			return true;
	return false;
}

static void
free_array(struct pattern_array *array)
{
	for (unsigned i = 0; i < array->count; i++)
		pattern_free(&array->items[i]);
	free(array->items);
}

void
pattern_list_free(struct pattern_list *list)
{
	free_array(&list->names);
	free_array(&list->wild);
	free(list->slots);
	*list = (struct pattern_list){0};
}
