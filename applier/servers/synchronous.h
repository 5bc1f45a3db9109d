/*
 * Whether commits at the source may wait for this task: compares the setting
 * synchronous_standby_names with the application_name of the stream.  Such a
 * commit and a daemon that waits for its effect would wait for each other.
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
