/* The verbs that control a running daemon: each sends a request to the daemon's socket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/printable.h"
#include "daemon/steering.h"
#include "io/control.h"
#include "state/state_install.h"
#include "state/task_lock.h"
#include "verbs.h"

static bool
ask(struct loop *loop, const struct config *config, const char *request, struct error *err)
{
	char *path = steering_path(config);
	char answer[4096];
	bool done = control_ask(loop, path, request, 0, answer, sizeof answer, err);

	free(path);
	if (done) {
		printable_write(stdout, answer, strlen(answer));
		putchar('\n');
	}
	return done;
}

bool
verb_pause(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	(void) command;
	return ask(loop, config, "pause", err);
}

bool
verb_resume(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	(void) command;
	return ask(loop, config, "resume", err);
}

bool
verb_reload(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	(void) command;
	return ask(loop, config, "reload", err);
}

bool
verb_stop(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	(void) command;
	return ask(loop, config, "stop", err);
}

/* ---- table */

/*
 * Without a daemon the verb changes the state itself, and the next daemon acts on it. The lock keeps a
 * daemon from starting meanwhile.
 */
static bool
change_by_itself(struct verb_ends *ends, struct loop *loop, const struct config *config,
				 enum table_action action, const struct string_list *names, struct error *err)
{
	struct table_action_setup change = {.config = config, .destination = ends->destination};

	if (!task_lock_take(ends->destination, loop, config->task, TASK_LOCK_FOR_PREDECESSOR, err) ||
		!verb_open_source(ends, loop, config, err) ||
		!state_install(ends->destination, ends->dialect, config->task, err))
		return false;
	change.source = ends->source;
	if (!table_action_run(&change, action, names, err))
		return false;
	printf("%s (no daemon runs: the next one sees to it)\n", steering_table_answer(action));
	return true;
}

static bool
ask_for_tables(struct loop *loop, const struct config *config, const struct string_list *words,
			   struct error *err)
{
	struct buffer request;
	bool done;

	memory_buffer_init(&request);
	buffer_printf(&request, "table");
	for (unsigned i = 0; i < words->count; i++)
		buffer_printf(&request, "\t%s", words->items[i]);
	buffer_put_u8(&request, '\0');
	done = ask(loop, config, (const char *) request.data, err);
	buffer_fini(&request);
	return done;
}

bool
verb_table(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	const struct string_list *words = &command->tables;
	struct string_list names = {words->items + 1, words->count - 1};
	struct verb_ends ends = {0};
	enum table_action action;
	int64_t holder;
	bool done;

	if (words->count < 2 || !table_action_parse(words->items[0], &action))
		return error_set(err, ERROR_CONFIG, "table needs add, remove or resync, and the names of tables");
	if (!table_action_check_names(&names, err))
		return false;
	done = verb_open_destination(&ends, loop, config, err) &&
		   task_lock_holder(ends.destination, config->task, &holder, err);
	if (done)
		done = holder ? ask_for_tables(loop, config, words, err)
					  : change_by_itself(&ends, loop, config, action, &names, err);
	verb_ends_close(&ends);
	return done;
}
