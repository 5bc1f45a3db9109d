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
#include <stdint.h>

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

struct pattern_array {
	struct pattern *items;
	unsigned count;
	unsigned capacity;
};

/*
 * Many patterns: those that name exactly one table are found by a hash, and
 * stand there once each; the others are tried one after another.
 */
struct pattern_list {
	unsigned count; /* of both kinds */
	struct pattern_array names;
	struct pattern_array wild;
	/* Open addressing: positions in `names` plus 1, 0 where there is none; at most half full. */
	uint32_t *slots;
	uint32_t slot_count; /* 0 or a power of two */
};

#define PATTERN_NONE UINT32_MAX

/* NULL when `text` was read, otherwise what is wrong with it, in words. */
const char *pattern_parse(const char *text, struct pattern *pattern);
void pattern_free(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, const char *schema, const char *table);
/* Whether the pattern names exactly one table. */
bool pattern_is_literal(const struct pattern *pattern);

/* Adds a pattern, a table's name but once; returns as pattern_parse(). */
const char *pattern_list_add(struct pattern_list *list, const char *text);
/*
 * Takes one pattern from a comma-separated list; commas in quotes do not
 * separate.  Moves *at on to the next one, NULL behind the last; returns as
 * pattern_parse().
 */
const char *pattern_list_take(struct pattern_list *list, const char **at);
/* Takes all of them. */
const char *pattern_list_add_all(struct pattern_list *list, const char *text);
bool pattern_list_matches(const struct pattern_list *list, const char *schema, const char *table);
/* The position in `names` of the table's, or PATTERN_NONE. */
uint32_t pattern_list_find(const struct pattern_list *list, const char *schema, const char *table);
void pattern_list_free(struct pattern_list *list);

#endif
