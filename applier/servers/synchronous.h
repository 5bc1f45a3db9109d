/*
 * Whether commits at the source may wait for this task: compares the source's synchronous_standby_names
 * with the application_name of the stream. If they wait, and the daemon waits for what such a commit does,
 * neither can go on.
 */
#ifndef SLUICE_SYNCHRONOUS_H
#define SLUICE_SYNCHRONOUS_H

#include <stdbool.h>

enum synchronous {
	SYNCHRONOUS_NOT,	   /* the setting does not include us */
	SYNCHRONOUS_POSSIBLE,  /* it does, but enough connected standbys have priority over us */
	SYNCHRONOUS_AWAITED,   /* commits wait for us */
	SYNCHRONOUS_UNREADABLE /* the setting cannot be parsed */
};

/*
 * `setting` has the server's syntax: a list, FIRST n (list) or ANY n (list), of names and *, quoted or
 * not. `others` are the names of the other connected standbys.
 */
enum synchronous synchronous_judge(const char *setting, const char *name, const char *const *others,
								   unsigned other_count);

#endif
