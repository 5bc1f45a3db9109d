/*
 * Reads the notations of configuration values.
 *
 *	size      64MB, 512 kB, 10GB, 100B, 4096    powers of 1024
 *	duration  250ms, 10s, 5min, 12h, 2d, 0
 *	rate      50MB/s, unlimited
 *	words     one string with the allowed words, separated by blanks
 *
 * These functions are pure; they return false if the text does not have that notation.
 */
#ifndef SLUICE_CONFIG_VALUE_H
#define SLUICE_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal number without a sign. */
bool config_value_integer(const char *text, int64_t *value);
bool config_value_size(const char *text, int64_t *bytes);
bool config_value_duration(const char *text, int64_t *ms);
/* 0: unlimited. */
bool config_value_rate(const char *text, int64_t *bytes_per_s);

/*
 * A column name as in SQL: folded to lower case (ASCII) unless quoted. `name` receives the name and must
 * have room for strlen(text) + 1 bytes.
 */
bool config_value_identifier(const char *text, char *name);

/* The position of `text` among the words, from 0; -1 if it is none of them. */
int config_value_word(const char *words, const char *text);

/* Copies the next word to `word` and moves `words` past it; false at the end. */
#define CONFIG_WORD_MAX 32
bool config_value_next_word(const char **words, char word[CONFIG_WORD_MAX]);

#endif
