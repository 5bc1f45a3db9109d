/*
 * Rows of the change format out of tuples.
 */
#ifndef SLUICE_ROW_H
#define SLUICE_ROW_H

#include "postgres.h"

#include "access/htup.h"
#include "access/htup_details.h"
#include "access/tupdesc.h"

#include "common/buffer.h"

#include "relation_cache.h"

/* A tuple taken apart, by attribute. */
struct row {
	Datum values[MaxTupleAttributeNumber];
	bool nulls[MaxTupleAttributeNumber];
	/* TOASTed values that did not change and are therefore not in the log. */
	bool unchanged[MaxTupleAttributeNumber];
	bool any_unchanged;
};

void row_deform(struct row *row, HeapTuple tuple, TupleDesc desc);

/* Takes unchanged TOASTed values from the old row, as far as that has them. */
void row_fill(struct row *row, const struct row *old, TupleDesc desc);

/* Writes all columns, or those of the replica identity.  Allocates in the current memory context. */
void row_put(struct buffer *b, const struct relation_entry *entry, const struct row *row, bool key_only);

#endif
