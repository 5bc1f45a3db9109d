#include <stdio.h>

#include "base/log.h"
#include "base/printable.h"
#include "servers/sequences.h"
#include "verbs.h"

#define WATCH_INTERVAL_MS 10000

static bool
bring(struct sequences *sequences, struct loop *loop, const struct config *config, bool create,
	  struct error *err)
{
	struct verb_ends ends = {0};
	bool done;

	done = verb_open_source(&ends, loop, config, err) && verb_open_destination(&ends, loop, config, err) &&
		   (config = verb_select_tables(&ends, config, err)) && verb_read_catalog(&ends, config, err) &&
		   sequences_bring(sequences, ends.source, ends.destination, &ends.catalog, create, err);
	verb_ends_close(&ends);
	printable_write(stdout, (const char *) sequences->news.data, sequences->news.len);
	fflush(stdout);
	buffer_reset(&sequences->news);
	return done;
}

/* A server that cannot be reached may come back; waits as long as `run` would. */
static bool
goes_on(struct loop *loop, const struct config *config, int64_t away_since_ms, const struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (err->class != ERROR_RETRY || loop_now_ms(loop) - away_since_ms >= config->retry_duration_ms)
		return false;
	error_sentence(err, sentence, sizeof sentence);
	log_warning("%s", sentence);
	return true;
}

bool
verb_sequences(struct loop *loop, const struct config *config, const struct command *command,
			   struct error *err)
{
	int64_t reached_ms = loop_now_ms(loop);
	struct sequences sequences;
	bool done;

	if (command->watch)
		loop_stop_is_success(loop);
	sequences_init(&sequences);
	do {
		done = bring(&sequences, loop, config, command->create, err);
		if (done)
			reached_ms = loop_now_ms(loop);
	} while (command->watch && (done || goes_on(loop, config, reached_ms, err)) &&
			 loop_sleep(loop, WATCH_INTERVAL_MS));
	sequences_fini(&sequences);
	/* An interruption ends --watch with success. */
	return done || (command->watch && (loop_stop_requested(loop) || err->class == ERROR_STOPPED));
}
