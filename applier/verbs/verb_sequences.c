#include "servers/sequences.h"
#include "verbs.h"

bool
verb_sequences(struct loop *loop, const struct config *config, const struct command *command,
			   struct error *err)
{
	struct verb_ends ends = {0};
	bool done;

	done = verb_open_source(&ends, loop, config, err) && verb_open_destination(&ends, loop, config, err) &&
		   (config = verb_select_tables(&ends, config, err)) && verb_read_catalog(&ends, config, err) &&
		   sequences_bring(ends.source, ends.destination, &ends.catalog, command->create, err);
	verb_ends_close(&ends);
	return done;
}
