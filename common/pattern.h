/*
 * Table names and patterns as users write them: schema.table, in the manner
 * of SQL.  Unquoted parts fold to lower case (ASCII letters alone), and in
 * them * stands for any run of characters and ? for one; a quoted part is
 * taken literally, "" in it is one quote.
 *
 *	public.*      "My Schema"."Order"      sales.order_20??
 */
#ifndef SLUICE_PATTERN_H
#define SLUICE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/* One half of a pattern, folded and unquoted.  A literal is compared as a
 * whole, anything else has wildcards. */
struct pattern_part {
	char *text;
	bool literal;
};

struct pattern {
	struct pattern_part schema;
	struct pattern_part table;
};

struct pattern_list {
	struct pattern *items;
	unsigned count;
};

/* NULL when `text` was read, otherwise what is wrong with it, in words. */
const char *pattern_parse(const char *text, struct pattern *pattern);
void pattern_free(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, const char *schema, const char *table);
/* Whether the pattern names exactly one table. */
bool pattern_is_literal(const struct pattern *pattern);

/* Adds a pattern; returns as pattern_parse(). */
const char *pattern_list_add(struct pattern_list *list, const char *text);
/* Adds a comma-separated list of patterns; commas in quotes do not separate. */
const char *pattern_list_add_all(struct pattern_list *list, const char *text);
bool pattern_list_matches(const struct pattern_list *list, const char *schema, const char *table);
void pattern_list_free(struct pattern_list *list);

#endif
