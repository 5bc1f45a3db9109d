/*
 * All keys of the configuration file in one table. The reader, the defaults, the ranges, the messages and
 * the check of docs/configuration.md use it.
 */
#ifndef SLUICE_CONFIG_SCHEMA_H
#define SLUICE_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum config_kind {
	CONFIG_SECTION, /* a mapping of the keys below it */
	CONFIG_ENTRIES, /* a list of such mappings; the field is a pointer to structs */
	CONFIG_TEXT,	/* char *, not empty */
	CONFIG_SECRET,	/* char *, not empty, never shown */
	CONFIG_TASK,	/* char *, like the kinds below; the name of a task */
	CONFIG_SLOT,	/* a valid name of a replication slot */
	CONFIG_TABLE,	/* schema.table */
	CONFIG_COLUMN,	/* a column name, stored without its quotes */
	CONFIG_PATH,	/* an absolute path */
	CONFIG_CHOICE,	/* char *, one of the words */
	CONFIG_WORD,	/* an enum: the position of the word, from 0 */
	CONFIG_BOOLEAN,
	CONFIG_INTEGER,	 /* unsigned */
	CONFIG_SIZE,	 /* int64_t, bytes */
	CONFIG_DURATION, /* int64_t, milliseconds */
	CONFIG_RATE,	 /* int64_t, bytes per second; 0: unlimited */
	CONFIG_WORDS,	 /* a list of words; the field is unsigned, one bit for each position */
	CONFIG_PATTERNS, /* a list of table patterns, struct string_list */
	CONFIG_COLUMNS,	 /* a list of column names, struct string_list */
};

struct config_option {
	const char *path; /* "section.key"; "[]" stands for each entry of a list */
	enum config_kind kind;
	bool required;
	/* a change takes effect in a running daemon without a new attempt; only for numbers and words */
	bool at_once;
	size_t offset;		/* of the field in struct config, or in the entry's struct */
	const char *preset; /* the default, as a user would write it */
	const char *min;	/* as a user would write it; for a list: the least number of items */
	const char *max;
	const char *words; /* the allowed words, separated by blanks */
	/* those of the words that this version does not support yet; "*": the key itself is not supported */
	const char *refused;

	/* Of CONFIG_ENTRIES: the field with the number of entries, and the size of an entry. */
	size_t count_offset;
	size_t entry_bytes;
};

extern const struct config_option config_schema[];
extern const unsigned config_schema_count;

/* The name of the kind in the documentation: "size", "list of columns" ... */
const char *config_kind_name(enum config_kind kind);

#endif
