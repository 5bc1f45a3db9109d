/*
 * COPY data from encoded rows: the binary format, into which a field passes
 * untouched, or the text format
 * (https://www.postgresql.org/docs/current/sql-copy.html, "File Formats").
 */
#ifndef SLUICE_COPY_ROWS_H
#define SLUICE_COPY_ROWS_H

#include "net_change.h"

/* The options after COPY … FROM STDIN, in the old grammar, which every dialect accepts. */
const char *copy_format_clause(bool text);

void copy_put_start(struct buffer *out, bool text);
void copy_put_end(struct buffer *out, bool text);

/* Begins a row of `fields`, each followed by copy_put_field() or copy_put_null(). */
void copy_put_row(struct buffer *out, bool text, unsigned fields);
/* `first`: writes no separator before the field (text). */
void copy_put_field(struct buffer *out, bool text, bool first, const void *data, size_t len);
void copy_put_null(struct buffer *out, bool text, bool first);
void copy_put_row_end(struct buffer *out, bool text);

/* The content of a COPY of a net change. */
enum copy_content {
	COPY_KEYS,	  /* the keys of entries with NET_DELETE */
	COPY_INSERTS, /* the rows of entries with NET_INSERT, `count` times without a key */
	COPY_STAGED, /* origin key, group, bitmap of the missing columns, row: of entries with NET_PATCH or NET_FILL */
	COPY_COUNTS, /* row and number, of entries with NET_DELETE, without a key */
};

/*
 * Walks a net change and appends COPY data piece by piece.
 *
 * `actions`, `groups` (COPY_STAGED: the number that goes with each entry) and
 * `order` (in which the entries are written; NULL: their own) have an element
 * for every entry and must outlive the walk.
 */
struct copy_walk {
	const struct net_change *net;
	const uint8_t *actions;
	const uint8_t *groups;
	const uint32_t *order;
	enum copy_content content;
	uint32_t next;		 /* in that order */
	int64_t copies_left; /* the entry before `next` */
	bool started;
	struct value *values; /* scratch */
	int64_t rows;
	bool broken; /* a row lacks a value that it must have: a bug */
};

void copy_walk_init(struct copy_walk *walk, const struct net_change *net, enum copy_content content,
					const uint8_t *actions, const uint8_t *groups, const uint32_t *order,
					struct arena *arena);
/* Appends at least one row, and more until they have about `bytes`; false: that was the last. The caller checks
 * whether `out` has failed. */
bool copy_walk_next(struct copy_walk *walk, struct buffer *out, size_t bytes);

/* Appends the key of an entry for a message, "id = 7, at = 2024-01-01". */
void copy_rows_put_key(const struct net_change *net, uint32_t index, struct buffer *out);
/* Appends the key of the walk's row with that number (from 1 on), likewise; nothing if there is no such row, or no
 * key. */
void copy_walk_put_key(const struct copy_walk *walk, int64_t number, struct buffer *out);
/* The column of that row whose text is not valid UTF-8; NULL: none. Of a row in COPY's text form the server names the line
 * alone. */
const char *copy_walk_invalid_column(struct copy_walk *walk, int64_t number);

#endif
