#include "config_value.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit size_units[] = {
	{"", 1}, {"B", 1}, {"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {NULL, 0},
};

static const struct unit duration_units[] = {
	{"ms", 1}, {"s", 1000}, {"min", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000}, {NULL, 0},
};

/* Reads digits; returns the text after them, or NULL if there are none or too many. */
static const char *
read_digits(const char *text, int64_t *value)
{
	const char *at = text;

	*value = 0;
	for (; *at >= '0' && *at <= '9'; at++) {
		int digit = *at - '0';

		if (*value > (INT64_MAX - digit) / 10)
			return NULL;
		*value = *value * 10 + digit;
	}
	return at == text ? NULL : at;
}

static bool
read_with_unit(const char *text, const struct unit *units, int64_t *value)
{
	const char *unit = read_digits(text, value);

	if (!unit)
		return false;
	while (*unit == ' ')
		unit++;
	for (; units->name; units++) {
		if (strcmp(unit, units->name) != 0)
			continue;
		if (*value > INT64_MAX / units->factor)
			return false;
		*value *= units->factor;
		return true;
	}
	return false;
}

bool
config_value_integer(const char *text, int64_t *value)
{
	const char *end = read_digits(text, value);

	return end && *end == '\0';
}

bool
config_value_size(const char *text, int64_t *bytes)
{
	return read_with_unit(text, size_units, bytes);
}

bool
config_value_duration(const char *text, int64_t *ms)
{
	/* 0 needs no unit. */
	if (config_value_integer(text, ms) && *ms == 0)
		return true;
	return read_with_unit(text, duration_units, ms);
}

bool
config_value_rate(const char *text, int64_t *bytes_per_s)
{
	char size[32];
	size_t len = strlen(text);

	*bytes_per_s = 0;
	if (strcmp(text, "unlimited") == 0)
		return true;
	if (len < 2 || len >= sizeof size || strcmp(text + len - 2, "/s") != 0)
		return false;
	memcpy(size, text, len - 2);
	size[len - 2] = '\0';
	return config_value_size(size, bytes_per_s) && *bytes_per_s > 0;
}

static bool
read_quoted(const char *at, char *name)
{
	char *out = name;

	for (; *at != '"' || at[1] == '"'; at++) {
		if (*at == '\0')
			return false;
		if (*at == '"')
			at++;
		*out++ = *at;
	}
	*out = '\0';
	return at[1] == '\0' && out > name;
}

bool
config_value_identifier(const char *text, char *name)
{
	if (*text == '"')
		return read_quoted(text + 1, name);
	for (const char *at = text; *at != '\0'; at++) {
		bool upper = *at >= 'A' && *at <= 'Z';
		bool later = (*at >= '0' && *at <= '9') || *at == '$';

		if (!upper && !(*at >= 'a' && *at <= 'z') && *at != '_' && !((unsigned char) *at & 0x80) &&
			!(later && at > text))
			return false;
		*name++ = upper ? (char) (*at + 'a' - 'A') : *at;
	}
	*name = '\0';
	return *text != '\0';
}

bool
config_value_next_word(const char **words, char word[CONFIG_WORD_MAX])
{
	size_t len;

	*words += strspn(*words, " ");
	len = strcspn(*words, " ");
	if (len == 0 || len >= CONFIG_WORD_MAX)
		return false;
	memcpy(word, *words, len);
	word[len] = '\0';
	*words += len;
	return true;
}

int
config_value_word(const char *words, const char *text)
{
	char word[CONFIG_WORD_MAX];

	for (int place = 0; config_value_next_word(&words, word); place++)
		if (strcmp(word, text) == 0)
			return place;
	return -1;
}
