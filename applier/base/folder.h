/* Directories in which only this user and root may replace this program's files. */
#ifndef SLUICE_FOLDER_H
#define SLUICE_FOLDER_H

#include "error.h"

/*
 * False if others may replace files in the directory; the error says whether that is its owner or, for a
 * world-writable directory without the sticky bit, everybody. True if the directory does not exist.
 */
MUST_CHECK bool folder_check(const char *path, struct error *err);

#endif
