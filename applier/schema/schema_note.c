#include "schema_note.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

bool
schema_notes_add(struct schema_notes *notes, const struct table *table, enum schema_outcome outcome,
				 const char *reason, struct error *err)
{
	static const char *const words[] = {
		[SCHEMA_COPIED_AGAIN] = "it is copied again",
		[SCHEMA_HELD] = "it is held",
		[SCHEMA_GONE] = "it is followed no longer",
	};
	struct schema_note *note;

	notes->notes = memory_resize(notes->notes, notes->count + 1, sizeof *notes->notes);
	note = &notes->notes[notes->count++];
	*note = (struct schema_note){.oid = table->source.oid, .outcome = outcome};
	snprintf(note->reason, sizeof note->reason, "%s", reason);
	return error_set(err, ERROR_RESTART, "%s.%s: %s: %s", table->source.schema, table->source.name,
					 words[outcome], reason);
}

void
schema_notes_clear(struct schema_notes *notes)
{
	free(notes->notes);
	*notes = (struct schema_notes){0};
}
