#include "config_field.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/pattern.h"
#include "config.h"
#include "config_value.h"

#define IDENTIFIER_BYTES_MAX 63

bool
config_field_quotable(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
	size_t len = strlen(text);

	return len > 0 && len <= 40 && strspn(text, allowed) == len;
}

static bool complain(struct config_complaint *complaint, const char *text, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Writes the complaint, followed by the wrong text if that may be shown. */
static bool
complain(struct config_complaint *complaint, const char *text, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(complaint->text, sizeof(complaint->text), fmt, args);
	va_end(args);
	if (config_field_quotable(text)) {
		size_t len = strlen(complaint->text);

		snprintf(complaint->text + len, sizeof(complaint->text) - len, ", not \"%s\"", text);
	}
	return false;
}

/* Lists the words as "a, b or c", without the unsupported ones. */
static void
list_words(const struct config_option *option, char *out, size_t out_bytes)
{
	const char *words = option->words;
	char next[CONFIG_WORD_MAX], word[CONFIG_WORD_MAX] = "";
	size_t len = 0;

	out[0] = '\0';
	for (;;) {
		bool more = config_value_next_word(&words, next);

		if (more && option->refused && config_value_word(option->refused, next) >= 0)
			continue;
		if (word[0] != '\0') {
			const char *joint = len == 0 ? "" : more ? ", " : " or ";

			len += (size_t) snprintf(out + len, out_bytes - len, "%s%s", joint, word);
		}
		if (!more)
			return;
		memcpy(word, next, sizeof(word));
	}
}

/* The word's position; -1 with a complaint if it is unknown or not supported. */
static int
read_word(const struct config_option *option, const char *text, struct config_complaint *complaint)
{
	int place = config_value_word(option->words, text);
	char words[200];

	list_words(option, words, sizeof(words));
	if (place < 0) {
		complain(complaint, text, "must be %s", words);
	} else if (option->refused && config_value_word(option->refused, text) >= 0) {
		complain(complaint, "", "as \"%s\" is not supported yet, it must be %s", text, words);
		place = -1;
	}
	return place;
}

static bool
read_number(enum config_kind kind, const char *text, int64_t *value)
{
	switch (kind) {
	case CONFIG_SIZE:
		return config_value_size(text, value);
	case CONFIG_DURATION:
		return config_value_duration(text, value);
	case CONFIG_RATE:
		return config_value_rate(text, value);
	default:
		return config_value_integer(text, value);
	}
}

static const char *
number_format(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_SIZE:
		return "a size such as 64MB, in B, kB, MB or GB";
	case CONFIG_DURATION:
		return "a duration such as 10s, in ms, s, min, h or d";
	case CONFIG_RATE:
		return "a rate such as 50MB/s, in B/s, kB/s, MB/s or GB/s, or unlimited";
	default:
		return "a number";
	}
}

static bool
store_number(const struct config_option *option, const char *text, void *field,
			 struct config_complaint *complaint)
{
	int64_t value, min, max;

	if (!read_number(option->kind, text, &value))
		return complain(complaint, text, "must be %s", number_format(option->kind));
	if (option->kind == CONFIG_RATE && value == 0) {
		*(int64_t *) field = 0; /* unlimited, so no range applies */
		return true;
	}
	if (!read_number(option->kind, option->min, &min) || !read_number(option->kind, option->max, &max) ||
		value < min || value > max)
		return complain(complaint, text, "must be between %s and %s", option->min, option->max);
	if (option->kind == CONFIG_INTEGER)
		*(unsigned *) field = (unsigned) value;
	else
		*(int64_t *) field = value;
	return true;
}

static bool
is_name(const char *text, size_t longest)
{
	size_t len = strlen(text);

	return len >= 1 && len <= longest && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool
check_table(const char *text, bool literal, struct config_complaint *complaint)
{
	struct pattern pattern;
	const char *wrong = pattern_parse(text, &pattern);
	bool is_literal;

	if (wrong)
		return complain(complaint, "", "is no table name: %s", wrong);
	is_literal = pattern_is_literal(&pattern);
	pattern_free(&pattern);
	if (literal && !is_literal)
		return complain(complaint, text, "must name one table, without wildcards");
	return true;
}

/* Unquotes a column's name; NULL with a complaint if it is invalid. */
static char *
read_column(const char *text, struct arena *memory, struct config_complaint *complaint)
{
	char *name = arena_alloc_unaligned(memory, strlen(text) + 1);

	if (!config_value_identifier(text, name))
		complain(complaint, text, "must be a column name, in double quotes where SQL needs them");
	else if (strlen(name) > IDENTIFIER_BYTES_MAX)
		complain(complaint, text, "must be a column name of at most %d bytes", IDENTIFIER_BYTES_MAX);
	else
		return name;
	return NULL;
}

static bool
check_text(const struct config_option *option, const char *text, struct config_complaint *complaint)
{
	switch (option->kind) {
	case CONFIG_TASK:
		return is_name(text, 40) ||
			   complain(complaint, text, "must be 1 to 40 lower case letters, digits and underscores");
	case CONFIG_SLOT:
		return is_name(text, IDENTIFIER_BYTES_MAX) ||
			   complain(complaint, text, "must be 1 to %d lower case letters, digits and underscores",
						IDENTIFIER_BYTES_MAX);
	case CONFIG_TABLE:
		return check_table(text, true, complaint);
	case CONFIG_PATH:
		return text[0] == '/' || complain(complaint, text, "must be an absolute path");
	case CONFIG_CHOICE:
		return read_word(option, text, complaint) >= 0;
	default:
		return text[0] != '\0' || complain(complaint, text, "must not be empty");
	}
}

bool
config_field_store(const struct config_option *option, const char *text, struct arena *memory, void *field,
				   struct config_complaint *complaint)
{
	int place;

	switch (option->kind) {
	case CONFIG_INTEGER:
	case CONFIG_SIZE:
	case CONFIG_DURATION:
	case CONFIG_RATE:
		return store_number(option, text, field, complaint);
	case CONFIG_BOOLEAN:
	case CONFIG_WORD:
		place = read_word(option, text, complaint);
		if (place < 0)
			return false;
		if (option->kind == CONFIG_BOOLEAN)
			*(bool *) field = place == 1;
		else
			*(unsigned *) field = (unsigned) place;
		return true;
	case CONFIG_COLUMN:
		return (*(char **) field = read_column(text, memory, complaint)) != NULL;
	default:
		if (!check_text(option, text, complaint))
			return false;
		*(char **) field = arena_strdup(memory, text);
		return true;
	}
}

/* Lists are short and read once, so each item allocates a new array. */
static bool
append(struct string_list *list, char *item, struct arena *memory, struct config_complaint *complaint)
{
	char **items = arena_alloc(memory, (list->count + 1) * sizeof(*items));

	for (unsigned i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], item) == 0)
			return complain(complaint, "", "names the same twice");
		items[i] = list->items[i];
	}
	items[list->count++] = item;
	list->items = items;
	return true;
}

bool
config_field_add(const struct config_option *option, const char *text, struct arena *memory, void *field,
				 struct config_complaint *complaint)
{
	char *name;
	int place;

	switch (option->kind) {
	case CONFIG_WORDS:
		place = read_word(option, text, complaint);
		if (place < 0)
			return false;
		if (*(unsigned *) field & 1u << place)
			return complain(complaint, "", "names the same twice");
		*(unsigned *) field |= 1u << place;
		return true;
	case CONFIG_COLUMNS:
		name = read_column(text, memory, complaint);
		return name && append(field, name, memory, complaint);
	default:
		return check_table(text, false, complaint) &&
			   append(field, arena_strdup(memory, text), memory, complaint);
	}
}

void
config_field_preset(const struct config_option *option, struct arena *memory, void *field)
{
	struct config_complaint complaint;
	const char *words = option->preset;
	char word[CONFIG_WORD_MAX];
	bool stored = true;

	if (option->kind == CONFIG_WORDS)
		while (stored && config_value_next_word(&words, word))
			stored = config_field_add(option, word, memory, field, &complaint);
	else
		stored = config_field_store(option, option->preset, memory, field, &complaint);
	if (!stored) {
		/* A wrong default in the schema table; the first start finds it. */
		fprintf(stderr, "sluice: bug: the default of %s %s\n", option->path, complaint.text);
		abort();
	}
}
