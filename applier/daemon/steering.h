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
	STEERING_STANDBY, /* another daemon has the task */
	STEERING_COPYING, /* the initial copy */
	STEERING_COPYING_IN_BACKGROUND,
	STEERING_STREAMING,
};

struct steering {
	struct loop *loop;
	const char *config_path;
	const struct config *config; /* the configuration in force; points to `values` after steering_init() */
	/* Checks whether a run could go on with that configuration. `voids_copies`: it changes how tables are copied
	 * that are being copied now. */
	bool (*try_config)(void *arg, const struct config *config, bool *voids_copies, struct error *err);
	/* Takes over the settings that can change while an attempt runs. */
	void (*take_at_once)(void *arg, const struct config *config);
	/* Carries out the verb table. */
	bool (*change_tables)(void *arg, enum table_action action, const struct string_list *names,
						  struct error *err);
	/* Appends the daemon's status (monitor/status_line.h), in a callback of the loop; NULL: there is none. */
	void (*put_status)(void *arg, size_t most, struct buffer *out);
	void *arg;

	struct control *control; /* NULL: not open */
	bool warned;			 /* the failure to open it was logged */
	struct stream_requests requests;
	struct config values;	/* a copy; its texts and lists belong to `present` or to the start's */
	struct config *next;	/* taken between two attempts; NULL: none */
	struct config *present; /* read by a reload; NULL: the configuration of the start is in force */
	bool start_over; /* leave as soon as no table is being copied, to read tables again or take `next` */
	bool reloading;	 /* the present attempt, or the next one, decides the answer to a reload */
};

/* The answer to the verb table. */
const char *steering_table_answer(enum table_action action);

/* The socket's path; the caller frees it. */
char *steering_path(const struct config *config);

/* Whether a daemon runs on this host and has the task. */
bool steering_daemon_lives(const struct config *config);

/* The status of a daemon on this host, if it answers within a few seconds; false: none. The caller frees `line`. */
bool steering_ask_status(struct loop *loop, const struct config *config, char **line);

/* Whether a daemon can change from one configuration to the other; if not, an ERROR_CONFIG names the key. */
MUST_CHECK bool steering_same_task(const struct config *a, const struct config *b, struct error *err);
/* `config` is the configuration of the start, which must outlive this. */
void steering_init(struct steering *steering, const struct config *config);
/* Between two attempts: takes the new configuration, if there is one. */
void steering_take_config(struct steering *steering);

/* Opens the socket; the task's lock must be held. If that fails, the daemon logs it and goes on without. */
void steering_open(struct steering *steering, const struct config *config);
/* `err`: why the run ends; NULL: after a stop. */
void steering_close(struct steering *steering, const struct error *err);

/* Carries out requests. May pump the loop, so not in callbacks. */
void steering_turn(struct steering *steering, enum steering_stage stage);
/* To be called in a pause: everything up to `lsn` is durable, and nothing more is applied. */
void steering_paused(struct steering *steering, uint64_t lsn);

#endif
