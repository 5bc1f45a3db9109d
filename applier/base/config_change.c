#include "config_change.h"

#include <stdio.h>
#include <string.h>

#include "config_schema.h"

static bool same_keys(const char *prefix, const void *a, const void *b);

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
same_list(const struct string_list *a, const struct string_list *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool
same_entries(const struct config_option *option, const char *a, const char *b)
{
	unsigned count = *(const unsigned *) (a + option->count_offset);
	const char *entries_a = *(char *const *) (a + option->offset);
	const char *entries_b = *(char *const *) (b + option->offset);
	char prefix[100];

	if (count != *(const unsigned *) (b + option->count_offset))
		return false;
	snprintf(prefix, sizeof prefix, "%s[].", option->path);
	for (unsigned i = 0; i < count; i++)
		if (!same_keys(prefix, entries_a + i * option->entry_bytes, entries_b + i * option->entry_bytes))
			return false;
	return true;
}

/* Compares the option's field in two structs. */
static bool
same_value(const struct config_option *option, const void *a, const void *b)
{
	const char *field_a = (const char *) a + option->offset, *field_b = (const char *) b + option->offset;

	switch (option->kind) {
	case CONFIG_SECTION:
		return true; /* its keys have entries of their own */
	case CONFIG_ENTRIES:
		return same_entries(option, a, b);
	case CONFIG_PATTERNS:
	case CONFIG_COLUMNS:
		return same_list((const struct string_list *) field_a, (const struct string_list *) field_b);
	case CONFIG_BOOLEAN:
		return *(const bool *) field_a == *(const bool *) field_b;
	case CONFIG_WORD:
	case CONFIG_WORDS:
	case CONFIG_INTEGER:
		return *(const unsigned *) field_a == *(const unsigned *) field_b;
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_RATE:
		return *(const int64_t *) field_a == *(const int64_t *) field_b;
	default:
		return same_text(*(char *const *) field_a, *(char *const *) field_b);
	}
}

/*
 * Whether the option belongs to the structs that the prefix stands for: "" is struct config, any other
 * prefix the entries of one list.
 */
static bool
is_below(const struct config_option *option, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(option->path, prefix, len) == 0 && !strstr(option->path + len, "[]");
}

static bool
same_keys(const char *prefix, const void *a, const void *b)
{
	for (unsigned i = 0; i < config_schema_count; i++)
		if (is_below(&config_schema[i], prefix) && !config_schema[i].at_once &&
			!same_value(&config_schema[i], a, b))
			return false;
	return true;
}

bool
config_needs_new_attempt(const struct config *present, const struct config *next)
{
	return !same_keys("", present, next);
}

static size_t
value_bytes(enum config_kind kind)
{
	return kind == CONFIG_WORD || kind == CONFIG_INTEGER ? sizeof(unsigned) : sizeof(int64_t);
}

void
config_take_at_once(struct config *to, const struct config *next)
{
	for (unsigned i = 0; i < config_schema_count; i++) {
		const struct config_option *option = &config_schema[i];

		if (option->at_once)
			memcpy((char *) to + option->offset, (const char *) next + option->offset,
				   value_bytes(option->kind));
	}
}
