/*
 * A note that one attempt leaves for the next one to carry out: the table is
 * copied again, held, or dropped from the task.
 */
#ifndef SLUICE_SCHEMA_NOTE_H
#define SLUICE_SCHEMA_NOTE_H

#include "base/error.h"
#include "tables/catalog.h"

enum schema_outcome {
	SCHEMA_COPIED_AGAIN,
	SCHEMA_HELD,
	SCHEMA_GONE, /* from the source */
};

struct schema_note {
	uint32_t oid;
	enum schema_outcome outcome;
	char reason[ERROR_MESSAGE_MAX];
};

struct schema_notes {
	struct schema_note *notes;
	unsigned count;
};

/* Adds the note, sets an ERROR_RESTART with the same text, and returns false. */
bool schema_notes_add(struct schema_notes *notes, const struct table *table, enum schema_outcome outcome,
					  const char *reason, struct error *err);
void schema_notes_clear(struct schema_notes *notes);

#endif
