#include "folder.h"

#include <sys/stat.h>
#include <unistd.h>

static bool
refuse(struct error *err)
{
	return error_hint(err,
					  "Let apply.spill_directory name a folder that belongs to this user and that others may"
					  " not write to.");
}

bool
folder_check(const char *path, struct error *err)
{
	struct stat folder;

	if (stat(path, &folder) < 0)
		return true;
	if (folder.st_uid != geteuid() && folder.st_uid != 0 && geteuid() != 0) {
		error_set(err, ERROR_DATA, "the folder \"%s\" belongs to another user (uid %u)", path,
				  (unsigned) folder.st_uid);
		return refuse(err);
	}
	if (folder.st_mode & S_IWOTH && !(folder.st_mode & S_ISVTX)) {
		error_set(err, ERROR_DATA, "everybody may replace files in the folder \"%s\"", path);
		return refuse(err);
	}
	return true;
}
