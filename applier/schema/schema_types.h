/*
 * User-defined types that change at the source: labels added to an enum and
 * attributes added to a composite type are added at the destination before the
 * rows that use them arrive.
 *
 * What is altered is the type of the target's column, whatever the source's is called by now; a column that is
 * text there takes every value.
 */
#ifndef SLUICE_SCHEMA_TYPES_H
#define SLUICE_SCHEMA_TYPES_H

#include "base/config.h"
#include "io/connection.h"
#include "schema_note.h"
#include "tables/catalog.h"

struct schema_types {
	const struct config *config;
	const struct catalog *catalog;
	struct connection *source;
	struct connection *destination; /* outside of transactions: some servers add labels nowhere else */
};

/* Whether types are followed, and a table has one: otherwise the functions below do nothing. */
bool schema_types_concern(const struct schema_types *types);

/*
 * Notes the tables that follow and have to be copied again: those with an enum of which a label was renamed (the
 * destination lacks a label, and has one that the source lacks), and those with a composite type that has got an
 * attribute, since rows already in the stream do not have it.
 */
MUST_CHECK bool schema_types_note(const struct schema_types *types, struct schema_notes *notes,
								  struct error *err);

/* Adds the missing labels and attributes; call it when the noted tables no longer follow.  What the destination refuses
 * is logged. */
MUST_CHECK bool schema_types_complete(const struct schema_types *types, struct error *err);

#endif
