/*
 * The verbs that steer a running daemon: each asks it through its socket.
 */
#include <stdio.h>
#include <stdlib.h>

#include "control.h"
#include "steering.h"
#include "verbs.h"

static bool
ask(struct loop *loop, const struct config *config, const char *request, struct error *err)
{
	char *path = steering_path(config);
	char answer[4096];
	bool done = control_ask(loop, path, request, answer, sizeof answer, err);

	free(path);
	if (done)
		puts(answer);
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
