#include "steering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_change.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/connection.h"
#include "lsn.h"
#include "merge/spill.h"

/* A daemon whose loop runs answers at once. */
#define STATUS_PATIENCE_MS 3000

#define SENTENCE_BYTES (ERROR_MESSAGE_MAX + ERROR_HINT_MAX)

/* ---- the socket */

char *
steering_path(const struct config *config)
{
	return memory_printf("%s/sluice_%s.sock", config->apply.spill_directory, config->task);
}

bool
steering_daemon_lives(const struct config *config)
{
	char *path = steering_path(config);
	bool lives = control_is_listening(path);

	free(path);
	return lives;
}

bool
steering_ask_status(struct loop *loop, const struct config *config, char **line)
{
	char *path = steering_path(config);
	struct error ignored;
	bool answered;

	*line = memory_alloc(CONTROL_LINE_BYTES);
	answered = control_ask(loop, path, "status", STATUS_PATIENCE_MS, *line, CONTROL_LINE_BYTES, &ignored);
	free(path);
	if (answered)
		return true;
	free(*line);
	*line = NULL;
	return false;
}

void
steering_open(struct steering *steering, const struct config *config)
{
	struct error err;
	char *path;

	if (steering->control)
		return;
	path = steering_path(config);
	if (spill_prepare(config->apply.spill_directory, &err))
		steering->control = control_open(steering->loop, path, &err);
	if (steering->control)
		control_answer_at_once(steering->control, "status", steering->put_status, steering->arg);
	free(path);
	if (steering->control || steering->warned)
		return;
	steering->warned = true;
	log_warning("%s: the verbs that steer a running daemon cannot reach this one", err.message);
}

static void
free_config(struct config *config)
{
	if (config)
		config_free(config);
	free(config);
}

void
steering_close(struct steering *steering, const struct error *err)
{
	char sentence[SENTENCE_BYTES] = "the daemon was stopped";
	const char *request;

	if (err)
		error_sentence(err, sentence, sizeof sentence);
	while ((request = control_request(steering->control)))
		control_answer(steering->control, !err && strcmp(request, "stop") == 0, "%s",
					   err ? sentence : "stopped");
	control_close(steering->control, sentence);
	steering->control = NULL;
	free_config(steering->next);
	free_config(steering->present);
}

static void
answer_error(struct steering *steering, const struct error *err)
{
	char sentence[SENTENCE_BYTES];

	error_sentence(err, sentence, sizeof sentence);
	control_answer(steering->control, false, "%s", sentence);
}

/* ---- pause and resume */

static const char standby_refusal[] = "this daemon is a standby, which applies nothing; \"sluice status\" "
									  "names the host of the daemon that runs "
									  "the task: ask there";

static void
ask_pause(struct steering *steering, enum steering_stage stage)
{
	/* Otherwise steering_paused() answers. */
	if (stage == STEERING_STANDBY)
		control_answer(steering->control, false, "%s", standby_refusal);
	else if (stage == STEERING_COPYING)
		control_answer(steering->control, false,
					   "the initial copy runs, which cannot be paused; \"sluice stop\" ends it, and a start"
					   " goes on with the tables that are not copied yet");
	else if (stage == STEERING_COPYING_IN_BACKGROUND)
		control_answer(steering->control, false,
					   "tables are being copied, which cannot be paused; try again when all of them stream");
	else
		steering->requests.pause = true;
	if (stage == STEERING_CONNECTING)
		control_answer(steering->control, true, "paused; the task is not connected at the moment");
}

void
steering_paused(struct steering *steering, uint64_t lsn)
{
	const char *request = control_request(steering->control);
	char text[LSN_TEXT_BYTES];

	if (request && strcmp(request, "pause") == 0)
		control_answer(steering->control, true, "paused at %s", lsn_format(lsn, text));
}

static void
resume(struct steering *steering, enum steering_stage stage)
{
	if (stage == STEERING_STANDBY) {
		control_answer(steering->control, false, "%s", standby_refusal);
		return;
	}
	control_answer(steering->control, true, steering->requests.pause ? "resumed" : "it was not paused");
	steering->requests.pause = false;
}

/* ---- reload */

static bool
is_streaming(enum steering_stage stage)
{
	return stage == STEERING_STREAMING || stage == STEERING_COPYING_IN_BACKGROUND;
}

/* Whether another configuration can be tried. */
static bool
can_check(enum steering_stage stage)
{
	return is_streaming(stage) || stage == STEERING_STANDBY;
}

static bool
same(const char *key, const char *a, const char *b, struct error *err)
{
	if (strcmp(a, b) == 0)
		return true;
	error_set(err, ERROR_CONFIG, "%s has changed, which a running daemon cannot follow", key);
	return error_hint(err, "Stop the daemon and start it again.");
}

/* The settings that identify the task, and those that a running daemon cannot change. */
bool
steering_same_task(const struct config *a, const struct config *b, struct error *err)
{
	return same("task", a->task, b->task, err) && same("source.slot", a->source.slot, b->source.slot, err) &&
		   same("source.conninfo", a->source.conninfo, b->source.conninfo, err) &&
		   same("destination.conninfo", a->destination.conninfo, b->destination.conninfo, err) &&
		   same("destination.dialect", a->destination.dialect, b->destination.dialect, err) &&
		   same("apply.spill_directory", a->apply.spill_directory, b->apply.spill_directory, err);
}

void
steering_init(struct steering *steering, const struct config *config)
{
	steering->values = *config;
	steering->config = &steering->values;
}

static void
take_at_once(struct steering *steering, const struct config *next)
{
	config_take_at_once(&steering->values, next);
	steering->take_at_once(steering->arg, next);
	log_init(next->log_level, next->log_format);
}

enum reload_outcome {
	RELOAD_REFUSED,
	RELOAD_DONE,
	RELOAD_LEAVES,	  /* the next attempt takes the new configuration */
	RELOAD_POSTPONED, /* likewise, but only when no table is being copied any more */
	RELOAD_TOO_EARLY, /* the new configuration has to be checked, which needs a streaming task */
};

/* `next` is moved into steering->next, or left to the caller to free. */
static enum reload_outcome
judge_next(struct steering *steering, enum steering_stage stage, struct config *next, struct error *err)
{
	bool voids_copies;

	if (!steering_same_task(steering->config, next, err))
		return RELOAD_REFUSED;
	/* If a new configuration waits already, the file is compared with that one. */
	if (!config_needs_new_attempt(steering->next ? steering->next : steering->config, next))
		return steering->next ? RELOAD_POSTPONED : RELOAD_DONE;
	if (!can_check(stage))
		return RELOAD_TOO_EARLY;
	if (!steering->try_config(steering->arg, next, &voids_copies, err))
		return RELOAD_REFUSED;
	free_config(steering->next);
	steering->next = next;
	return stage == STEERING_COPYING_IN_BACKGROUND && !voids_copies ? RELOAD_POSTPONED : RELOAD_LEAVES;
}

static enum reload_outcome
begin_reload(struct steering *steering, enum steering_stage stage, struct error *err)
{
	struct config *next = memory_alloc_zero(1, sizeof *next);
	enum reload_outcome outcome = RELOAD_REFUSED;

	if (config_load(steering->config_path, next, err))
		outcome = judge_next(steering, stage, next, err);
	if (outcome != RELOAD_REFUSED && outcome != RELOAD_TOO_EARLY)
		take_at_once(steering, next);
	if (outcome == RELOAD_DONE)
		log_info("the configuration was read again: what has changed is in force");
	if (steering->next != next)
		free_config(next);
	if (outcome == RELOAD_POSTPONED) {
		steering->start_over = true;
		log_info("the configuration was read again: it takes effect when the tables that are being copied "
				 "are done");
	}
	steering->requests.leave |= outcome == RELOAD_LEAVES;
	return outcome;
}

/* A reload by signal is answered in the log only. */
static void
reload_by_signal(struct steering *steering, enum steering_stage stage)
{
	char sentence[SENTENCE_BYTES];
	struct error err;

	if (begin_reload(steering, stage, &err) != RELOAD_REFUSED)
		return;
	error_clause(&err, sentence, sizeof sentence);
	log_warning("SIGHUP: the configuration in force stays: %s", sentence);
}

void
steering_take_config(struct steering *steering)
{
	steering->requests.leave = false;
	if (!steering->next)
		return;
	free_config(steering->present);
	steering->present = steering->next;
	steering->next = NULL;
	steering_init(steering, steering->present);
	log_info("the configuration was read again");
}

/* While `reloading`, the answer waits until the next attempt, which has the new configuration, streams. */
static void
reload(struct steering *steering, enum steering_stage stage)
{
	struct error err;

	if (steering->reloading) {
		if (!can_check(stage) || steering->next)
			return;
		steering->reloading = false;
		control_answer(steering->control, true, "reloaded");
		return;
	}
	switch (begin_reload(steering, stage, &err)) {
	case RELOAD_REFUSED:
		answer_error(steering, &err);
		break;
	case RELOAD_DONE:
		control_answer(steering->control, true, "reloaded");
		break;
	case RELOAD_LEAVES:
		steering->reloading = true;
		break;
	case RELOAD_POSTPONED:
		control_answer(steering->control, true,
					   "accepted; it takes effect when the tables that are being copied are done");
		break;
	case RELOAD_TOO_EARLY:
		control_answer(steering->control, false,
					   "the task does not stream at the moment, so the configuration cannot be checked; try"
					   " again later, or stop the daemon and start it again");
		break;
	}
}

/* ---- tables */

const char *
steering_table_answer(enum table_action action)
{
	switch (action) {
	case TABLE_ADD:
		return "added; it is copied and streamed while the others continue";
	case TABLE_REMOVE:
		return "removed; what the targets hold stays";
	case TABLE_RESYNC:
		break;
	}
	return "its target is cleared and it is copied again while the others continue";
}

/* A request "table", the action and the names, separated by tabs. */
static bool
parse_tables(char *request, enum table_action *action, struct string_list *names)
{
	char *rest = request;
	const char *word;

	(void) strsep(&rest, "\t");
	word = strsep(&rest, "\t");
	if (!word || !table_action_parse(word, action))
		return false;
	while (rest)
		names->items[names->count++] = strsep(&rest, "\t");
	return true;
}

static void
change_tables(struct steering *steering, const char *request)
{
	char *copy = memory_strdup(request);
	struct string_list names = {.items = memory_alloc_zero(strlen(request), sizeof(char *))};
	enum table_action action;
	struct error err;

	if (!parse_tables(copy, &action, &names)) {
		control_answer(steering->control, false, "the daemon does not know \"%s\"", request);
	} else if (steering->change_tables(steering->arg, action, &names, &err)) {
		steering->start_over = true;
		control_answer(steering->control, true, "%s", steering_table_answer(action));
	} else {
		control_answer_error(steering->control, &err);
	}
	free(names.items);
	free(copy);
}

/* ---- the turn */

void
steering_turn(struct steering *steering, enum steering_stage stage)
{
	const char *request = control_request(steering->control);

	if (steering->start_over && stage == STEERING_STREAMING) {
		steering->start_over = false;
		steering->requests.leave = true;
	}
	/* Until the task streams or stands by, a reload by signal waits. */
	if (can_check(stage) && !steering->reloading && loop_take_hangup(steering->loop))
		reload_by_signal(steering, stage);
	if (!request || strcmp(request, "stop") == 0)
		return;
	if (strcmp(request, "pause") == 0)
		ask_pause(steering, stage);
	else if (strcmp(request, "resume") == 0)
		resume(steering, stage);
	else if (strcmp(request, "reload") == 0)
		reload(steering, stage);
	else if (strncmp(request, "table\t", 6) == 0 && is_streaming(stage))
		change_tables(steering, request);
	else if (strncmp(request, "table\t", 6) == 0 && stage == STEERING_STANDBY)
		control_answer(steering->control, false, "%s", standby_refusal);
	else if (strncmp(request, "table\t", 6) == 0)
		control_answer(steering->control, false, "the task does not stream at the moment; try again later");
	else
		control_answer(steering->control, false, "the daemon does not know \"%s\"", request);
}
