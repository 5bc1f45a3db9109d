/*
 * Which indexes of a source's table have been dealt with at its target, so that CREATE INDEX and DROP INDEX can be
 * followed.  Two texts, one line for each index, ordered by OID in the first one:
 *
 *	table->source_indexes	what the source has now: OID, 'u' unique or 'n' not, signature
 *	table->indexes			what was done, as stored in sluice.tables: OID, state, signature, LSN, name at the target
 *
 *	                  ┌► left
 *	(in no line) ─────┼► wanted ─► begun ─► ours ─► (no line: dropped)
 *	                  └─────── created with the target ──┘
 *
 * Only indexes that are ours are ever dropped: Sluice has created them under that name.  The signature is a hash of the
 * definition.  An index that the source has created anew with the same signature (REINDEX CONCURRENTLY) is taken for the same;
 * not a unique one, since rows between the two may not have been unique.
 */
#ifndef SLUICE_INDEX_LIST_H
#define SLUICE_INDEX_LIST_H

#include "base/config.h"
#include "buffer.h"
#include "catalog.h"

enum index_state {
	INDEX_LEFT =
		'l', /* the target keeps what it has: the index is older than the task, not possible, or there */
	INDEX_WANTED = 'w', /* to be created once everything up to the LSN is applied */
	INDEX_BEGUN = 'b',	/* likewise; an invalid index of that name is what an interrupted attempt has left */
	INDEX_OURS = 'o',
};

#define INDEX_SIGNATURE_BYTES 12

struct index_entry {
	uint32_t oid; /* of the source's index */
	enum index_state state;
	char signature[INDEX_SIGNATURE_BYTES];
	uint64_t lsn; /* 0: none */
	char *name;	  /* at the target; "-" where there is none */
	bool unique;  /* known only of what the source has */
};

struct index_list {
	struct index_entry *entries;
	unsigned count;
};

/* Read the texts; NULL is an empty list.  Lines that cannot be read are skipped. */
void index_list_read(struct index_list *list, const char *indexes);
void index_list_read_source(struct index_list *list, const char *source_indexes);
void index_list_fini(struct index_list *list);
/* Writes one line, or all. */
void index_entry_put(struct buffer *out, const struct index_entry *entry);
char *index_list_text(const struct index_list *list);

/* NULL: the list has no such line. */
struct index_entry *index_list_find(const struct index_list *list, uint32_t oid);
/* Finds the line or adds one. */
struct index_entry *index_list_place(struct index_list *list, uint32_t oid);
void index_entry_set(struct index_entry *entry, enum index_state state, const char *signature, uint64_t lsn,
					 const char *name);
void index_list_remove(struct index_list *list, struct index_entry *entry);

bool index_list_selects(enum schema_indexes wanted, bool unique);

/* The text of a list in which all that the source has and `wanted` selects is left. */
char *index_list_baseline(const char *source_indexes, enum schema_indexes wanted);
/* Takes over the OIDs of indexes that the source has created anew. */
void index_list_renew(struct index_list *list, const struct index_list *source);
/* Of a list after index_list_renew(): whether the source no longer has that index. */
bool index_list_is_gone(const struct index_list *source, const struct index_entry *entry);
/* Whether the target lacks something that the source has, or has something of ours that the source no longer has. */
bool index_list_is_behind(const char *indexes, const char *source_indexes, enum schema_indexes wanted);

#endif
