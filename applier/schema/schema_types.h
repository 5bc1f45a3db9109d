/*
 * Types of users that change at the source: labels that come to an enum, and
 * attributes that come to a composite type, reach the destination before the
 * rows that have them.
 *
 * Only types that the destination has under the same name; a column whose type it
 * lacks is text there, which takes everything.
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

/*
 * Notes the following tables whose rows have to be copied again: those with an
 * enum of which a label was renamed (the destination has one that the source has not, and lacks one), and
 * those with a composite type that has more attributes, of which rows that are on their way have none yet.
 */
MUST_CHECK bool schema_types_note(const struct schema_types *types, struct schema_notes *notes,
								  struct error *err);

/* Adds what is missing, as the source has it now, when the noted tables follow no more; what the destination refuses
 * is logged. */
MUST_CHECK bool schema_types_complete(const struct schema_types *types, struct error *err);

#endif
