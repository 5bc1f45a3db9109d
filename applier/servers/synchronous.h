/*
 * Whether commits at the source may come to wait for us: the setting
 * synchronous_standby_names against the name under which we stream.  Such a
 * commit and a daemon that waits for what it changes would wait for each other.
 */
#ifndef SLUICE_SYNCHRONOUS_H
#define SLUICE_SYNCHRONOUS_H

#include <stdbool.h>

enum synchronous {
	SYNCHRONOUS_NOT,	   /* the setting does not mean us */
	SYNCHRONOUS_POSSIBLE,  /* it does, but enough others that are connected come before us */
	SYNCHRONOUS_AWAITED,   /* commits wait for us */
	SYNCHRONOUS_UNREADABLE /* the setting is none that we know */
};

/*
 * `setting` as the server reads it: a list, FIRST n (list) or ANY n (list), of names and *, in quotes or not.
 * `others` are the names of the other standbys that are connected.
 */
enum synchronous synchronous_judge(const char *setting, const char *name, const char *const *others,
								   unsigned other_count);

#endif
