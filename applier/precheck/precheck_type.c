#include "precheck_type.h"

#include <stdlib.h>
#include <string.h>

/*
 * Types of the same family usually convert into each other through their text form. Within a family, a
 * type with a higher rank can hold every value of a type with a lower rank. Equal ranks of different
 * types, and rank 0, guarantee nothing.
 */
enum family {
	FAMILY_NONE,
	FAMILY_TEXT,
	FAMILY_NUMBER,
	FAMILY_TIME,
	FAMILY_CLOCK,
	FAMILY_JSON,
	FAMILY_NETWORK,
	FAMILY_BITS
};

static const struct {
	const char *name;
	enum family family;
	int rank;
} types[] = {
	{"char", FAMILY_TEXT, 0},	  {"name", FAMILY_TEXT, 0},		 {"bpchar", FAMILY_TEXT, 1},
	{"varchar", FAMILY_TEXT, 2},  {"text", FAMILY_TEXT, 2},		 {"int2", FAMILY_NUMBER, 1},
	{"int4", FAMILY_NUMBER, 2},	  {"int8", FAMILY_NUMBER, 3},	 {"numeric", FAMILY_NUMBER, 4},
	{"float4", FAMILY_NUMBER, 0}, {"float8", FAMILY_NUMBER, 0},	 {"oid", FAMILY_NUMBER, 0},
	{"date", FAMILY_TIME, 0},	  {"timestamp", FAMILY_TIME, 0}, {"timestamptz", FAMILY_TIME, 0},
	{"time", FAMILY_CLOCK, 0},	  {"timetz", FAMILY_CLOCK, 0},	 {"jsonb", FAMILY_JSON, 1},
	{"json", FAMILY_JSON, 2},	  {"cidr", FAMILY_NETWORK, 1},	 {"inet", FAMILY_NETWORK, 2},
	{"bit", FAMILY_BITS, 1},	  {"varbit", FAMILY_BITS, 2},
};

static enum family
find_family(const char *name, int *rank)
{
	*rank = 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		if (strcmp(types[i].name, name) != 0)
			continue;
		*rank = types[i].rank;
		return types[i].family;
	}
	return FAMILY_NONE;
}

/* Reads the numbers in the parentheses of a type such as "numeric(10,2)"; returns how many. */
static unsigned
read_modifier(const char *formatted, long numbers[2])
{
	const char *at = formatted ? strrchr(formatted, '(') : NULL;
	char *end;
	unsigned count = 0;

	while (at && count < 2 && (*at == '(' || *at == ',')) {
		numbers[count] = strtol(at + 1, &end, 10);
		if (end == at + 1)
			break;
		count++;
		at = end;
	}
	return count;
}

/* The modifier of a type such as "geometry(Point,4326)", from the parenthesis on; "" without one. */
static const char *
modifier_of(const char *formatted)
{
	const char *modifier = formatted ? strrchr(formatted, '(') : NULL;

	return modifier ? modifier : "";
}

/*
 * Length, precision, or precision and scale of the target must be at least the source's; other modifiers
 * must be equal.
 */
static enum type_fit
compare_modifiers(const char *source, const char *target)
{
	long has[2] = {0}, wants[2] = {0};
	unsigned target_count = read_modifier(target, has);

	if (target_count == 0)
		return *modifier_of(target) && strcmp(modifier_of(source), modifier_of(target)) != 0 ? TYPE_NARROWS
																							 : TYPE_FITS;
	if (read_modifier(source, wants) != target_count || has[0] < wants[0] || has[1] < wants[1] ||
		has[0] - has[1] < wants[0] - wants[1])
		return TYPE_NARROWS;
	return TYPE_FITS;
}

static bool
is_user_defined(const char *schema)
{
	return strcmp(schema, "pg_catalog") != 0;
}

/* Whether only one of the two types has a time zone. */
static bool
is_rezoned(const char *from, const char *to)
{
	return (strcmp(from, "timestamp") == 0 && strcmp(to, "timestamptz") == 0) ||
		   (strcmp(from, "timestamptz") == 0 && strcmp(to, "timestamp") == 0) ||
		   (strcmp(from, "time") == 0 && strcmp(to, "timetz") == 0);
}

/* `from` and `to` are plain type names, of columns or of arrays' elements. */
static enum type_fit
compare_names(const struct source_column *source, const struct target_column *target, const char *from,
			  const char *to)
{
	bool doubled = strcmp(from, "float4") == 0 && strcmp(to, "float8") == 0;
	int from_rank, to_rank;
	enum family from_family = find_family(from, &from_rank), to_family = find_family(to, &to_rank);

	if (strcmp(from, to) == 0)
		return compare_modifiers(source->base_formatted, target->formatted);
	if (is_rezoned(from, to))
		return compare_modifiers(source->base_formatted, target->formatted) == TYPE_FITS ? TYPE_REZONED
																						 : TYPE_NARROWS;
	if (to_family == FAMILY_TEXT && to_rank > 0) {
		if (from_family == FAMILY_TEXT)
			return compare_modifiers(source->base_formatted, target->formatted);
		return read_modifier(target->formatted, (long[2]){0}) ? TYPE_NARROWS : TYPE_FITS;
	}
	if (from_family == FAMILY_TEXT || is_user_defined(target->base_schema))
		return TYPE_NARROWS;
	if (from_family != to_family || from_family == FAMILY_NONE)
		return TYPE_CLASHES;
	if (doubled ||
		(from_rank > 0 && from_rank < to_rank && read_modifier(target->formatted, (long[2]){0}) == 0))
		return TYPE_FITS;
	return TYPE_NARROWS;
}

enum type_fit
precheck_type_fit(const struct source_column *source, const struct target_column *target)
{
	const char *from = source->base_name, *to = target->base_name;
	bool from_array = source->element != 0 && from[0] == '_', to_array = to[0] == '_';
	int rank;

	if (from_array && to_array)
		return compare_names(source, target, from + 1, to + 1);
	if (from_array || to_array) {
		/* An array fits into a text column as its text form. */
		if (find_family(from_array ? to : from, &rank) != FAMILY_TEXT)
			return TYPE_CLASHES;
		return from_array ? TYPE_FITS : TYPE_NARROWS;
	}
	return compare_names(source, target, from, to);
}
