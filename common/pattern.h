/*
 * Table names and patterns as users write them: schema.table, as in SQL.
 * Unquoted parts fold to lower case (ASCII letters only), and in
 * them * stands for any run of characters and ? for one.  A quoted part is
 * literal; "" in it is one quote.
 *
 *	public.*      "My Schema"."Order"      sales.order_20??
 */
#ifndef SLUICE_PATTERN_H
#define SLUICE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One half of a pattern, folded and unquoted.  A literal one has no wildcards. */
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
 * Many patterns: those that name exactly one table are stored once each and found by a
 * hash; the others are tried one after another.
 */
struct pattern_list {
	unsigned count; /* of both kinds */
	struct pattern_array names;
	struct pattern_array wild;
	/* Hash table with open addressing, at most half full: positions in `names` plus 1, or 0. */
	uint32_t *slots;
	uint32_t slot_count; /* 0 or a power of two */
};

#define PATTERN_NONE UINT32_MAX

/* Returns NULL, or what is wrong with `text`, in words. */
const char *pattern_parse(const char *text, struct pattern *pattern);
void pattern_free(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, const char *schema, const char *table);
/* Whether the pattern names exactly one table. */
bool pattern_is_literal(const struct pattern *pattern);

/* Adds a pattern; the name of one table only once.  Returns like pattern_parse(). */
const char *pattern_list_add(struct pattern_list *list, const char *text);
/*
 * Adds the next pattern of a comma-separated list; commas in quotes do not
 * separate.  Moves *at to the following one, or sets it to NULL after the last.  Returns
 * like pattern_parse().
 */
const char *pattern_list_take(struct pattern_list *list, const char **at);
/* Adds all patterns of a comma-separated list. */
const char *pattern_list_add_all(struct pattern_list *list, const char *text);
bool pattern_list_matches(const struct pattern_list *list, const char *schema, const char *table);
/* The position of the table's name in `names`, or PATTERN_NONE. */
uint32_t pattern_list_find(const struct pattern_list *list, const char *schema, const char *table);
void pattern_list_free(struct pattern_list *list);

#endif
