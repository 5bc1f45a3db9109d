/*
 * Requests to the running daemon through its socket: pause, resume, reload,
 * stop, table.  The session checks for them in each turn, in every state; a
 * request that takes time is answered when it is done.
 */
#ifndef SLUICE_STEERING_H
#define SLUICE_STEERING_H

#include "base/config.h"
#include "io/control.h"
#include "schema/table_action.h"
#include "stream/stream.h"

/* What the daemon is doing when it checks for requests. */
enum steering_stage {
	STEERING_CONNECTING,
	STEERING_COPYING, /* the initial copy */
	STEERING_COPYING_IN_BACKGROUND,
	STEERING_STREAMING,
};

struct steering {
	struct loop *loop;
	const char *config_path;
	const struct config *config; /* the one in force: `values`, once steering_init() was called */
	/* Whether a run could go on with that configuration.  `voids_copies`: it concerns tables that are being copied. */
	bool (*try_config)(void *arg, const struct config *config, bool *voids_copies, struct error *err);
	/* Takes over what can change while an attempt runs. */
	void (*take_at_once)(void *arg, const struct config *config);
	/* What the verb table asks for. */
	bool (*change_tables)(void *arg, enum table_action action, const struct string_list *names,
						  struct error *err);
	/* Appends what the daemon knows of itself (monitor/status_line.h); NULL: nobody is told.  In a callback of the loop. */
	void (*put_status)(void *arg, size_t most, struct buffer *out);
	void *arg;

	struct control *control; /* NULL: not open */
	bool warned;			 /* that it could not be opened */
	struct stream_requests requests;
	struct config values;	/* shares its texts and lists with `present`, or with the one of the start */
	struct config *next;	/* to be taken between two attempts; NULL: none */
	struct config *present; /* what a reload has read; NULL: the one of the start is in force */
	bool start_over; /* as soon as no table is being copied: the next attempt finds other tables, or `next` */
	bool reloading;	 /* the attempt that runs, or the next one, is the answer to a reload */
};

/* What the verb table says when it is done. */
const char *steering_table_answer(enum table_action action);

/* The socket's path; the caller frees it. */
char *steering_path(const struct config *config);

/* Whether a daemon of the task lives on this host and has the task. */
bool steering_daemon_lives(const struct config *config);

/* What a daemon that lives on this host says of itself within a few seconds; false: none answers.  The caller frees `line`. */
bool steering_ask_status(struct loop *loop, const struct config *config, char **line);

/* Whether a daemon can go from one to the other: an ERROR_CONFIG names the key that forbids it. */
MUST_CHECK bool steering_same_task(const struct config *a, const struct config *b, struct error *err);
/* The configuration of the start, which must outlive it. */
void steering_init(struct steering *steering, const struct config *config);
/* Between two attempts: takes the new configuration, if there is one. */
void steering_take_config(struct steering *steering);

/* To be called when the task's lock is held.  Without a socket the daemon goes on, and says so. */
void steering_open(struct steering *steering, const struct config *config);
/* `err` is why the run ends, NULL after a stop. */
void steering_close(struct steering *steering, const struct error *err);

/* Does what is asked; at the top of the program, since it may pump the loop. */
void steering_turn(struct steering *steering, enum steering_stage stage);
/* All is durable up to `lsn`, and stays as it is. */
void steering_paused(struct steering *steering, uint64_t lsn);

#endif
