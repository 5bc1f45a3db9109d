/*
 * Every key of the configuration file, in one table: the reader, the defaults,
 * the ranges, the messages and the check of docs/configuration.md come from it.
 */
#ifndef SLUICE_CONFIG_SCHEMA_H
#define SLUICE_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum config_kind {
	CONFIG_SECTION, /* a mapping of the keys below it */
	CONFIG_ENTRIES, /* a list of such mappings; the field is a pointer to structs */
	CONFIG_TEXT,	/* char *, not empty */
	CONFIG_SECRET,	/* likewise, and never shown */
	CONFIG_TASK,	/* char *, as the ones below; a task's name */
	CONFIG_SLOT,	/* what PostgreSQL allows as a slot's name */
	CONFIG_TABLE,	/* schema.table */
	CONFIG_COLUMN,	/* a column name, stored without its quotes */
	CONFIG_PATH,	/* an absolute path */
	CONFIG_CHOICE,	/* char *, one of the words */
	CONFIG_WORD,	/* an enum: the place of the word, from 0 */
	CONFIG_BOOLEAN,
	CONFIG_INTEGER,	 /* unsigned */
	CONFIG_SIZE,	 /* int64_t, bytes */
	CONFIG_DURATION, /* int64_t, milliseconds */
	CONFIG_RATE,	 /* int64_t, bytes per second; 0: unlimited */
	CONFIG_WORDS,	 /* a list of words; the field is unsigned, bit by place */
	CONFIG_PATTERNS, /* a list of table patterns, struct string_list */
	CONFIG_COLUMNS,	 /* a list of column names, struct string_list */
};

struct config_option {
	const char *path; /* "section.key"; "[]" stands for each entry of a list */
	enum config_kind kind;
	bool required;
	bool at_once;  /* a running daemon takes a change over without a new attempt; only numbers and words */
	size_t offset; /* of the field in struct config, or in the entry's struct */
	const char *preset; /* the default, as a user would write it */
	const char *min;	/* likewise; of a list: its least number of items */
	const char *max;
	const char *words;	 /* what may be written, separated by blanks */
	const char *refused; /* those of the words that this version does not carry
			      * out yet; "*" is the key as a whole */

	/* Of CONFIG_ENTRIES: the field that counts them, and their size. */
	size_t count_offset;
	size_t entry_bytes;
};

extern const struct config_option config_schema[];
extern const unsigned config_schema_count;

/* The kind as the documentation calls it: "size", "list of columns" ... */
const char *config_kind_name(enum config_kind kind);

#endif
