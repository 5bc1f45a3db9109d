/*
 * Folders in which only this user, and root, may replace what this program puts there.
 */
#ifndef SLUICE_FOLDER_H
#define SLUICE_FOLDER_H

#include "error.h"

/*
 * False, and the error names who else might replace files there: the folder's owner, or everybody where
 * it is open to all and not sticky.  For a folder that does not exist the answer is true.
 */
MUST_CHECK bool folder_check(const char *path, struct error *err);

#endif
