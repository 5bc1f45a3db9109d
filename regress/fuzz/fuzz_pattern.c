/*
 * A list of patterns, with its hash of names, matches what one of its patterns
 * matches by itself.  The list is the first line, the table's schema and name are the next two.
 */
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);

static void
expect(bool condition)
{
	if (!condition)
		abort();
}

/* One pattern after another, each in a list of its own; NULL: the list cannot be read. */
static bool
match_each(const char *text, const char *schema, const char *table, const char **problem)
{
	bool matches = false;

	*problem = NULL;
	for (const char *at = text; at && !*problem;) {
		struct pattern_list one = {0};

		*problem = pattern_list_take(&one, &at);
		expect(*problem || one.count == 1);
		matches = matches || pattern_list_matches(&one, schema, table);
		pattern_list_free(&one);
	}
	return matches;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	char *copy = malloc(len + 1);
	char *line = copy, *list, *schema, *table;
	struct pattern_list whole = {0};
	const char *problem, *problem_of_one;
	bool matches;

	memcpy(copy, data, len);
	copy[len] = '\0';
	list = strsep(&line, "\n");
	schema = line ? strsep(&line, "\n") : list;
	table = line ? line : schema;
	problem = pattern_list_add_all(&whole, list);
	matches = match_each(list, schema, table, &problem_of_one);
	expect(!problem == !problem_of_one && (!problem || *problem));
	if (!problem) {
		expect(matches == pattern_list_matches(&whole, schema, table));
		expect(matches || pattern_list_find(&whole, schema, table) == PATTERN_NONE);
	}
	pattern_list_free(&whole);
	free(copy);
	return 0;
}
