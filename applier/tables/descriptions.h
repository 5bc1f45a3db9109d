/*
 * The latest relation description of each table in the stream, and those that were replaced.
 *
 * The plugin sends a changed table's relation description under a new number and does not
 * come back to the old one, but for partitioned tables, whose leaves may
 * differ: none of theirs counts as replaced.
 */
#ifndef SLUICE_DESCRIPTIONS_H
#define SLUICE_DESCRIPTIONS_H

#include "base/error.h"
#include "base/keymap.h"
#include "change.h"

struct descriptions {
	struct arena memory;
	struct keymap oids;
	uint32_t *latest; /* by the OID's index in the map: the number of its description */
	uint32_t latest_capacity;
	uint32_t *replaced; /* numbers */
	unsigned replaced_count;
	unsigned replaced_capacity;
};

void descriptions_init(struct descriptions *descriptions);
void descriptions_fini(struct descriptions *descriptions);

/* Takes note of a description that came. */
void descriptions_add(struct descriptions *descriptions, const struct change_relation *relation);

/* Whether no other description of the same table came after it. */
MUST_CHECK bool descriptions_is_latest(const struct descriptions *descriptions,
									   const struct change_relation *relation);

#endif
