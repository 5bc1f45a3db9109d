#include "source_plugin.h"

#include <string.h>

const char *
source_plugin_trouble(const struct error *answer)
{
	if (strcmp(answer->sqlstate, "58P01") == 0)
		return "sluice.so is not installed on the source's host: install it there with \"make "
			   "install-plugin\"";
	/* The right to replicate was checked before, so this refusal is about the plugin. */
	if (strcmp(answer->sqlstate, "42501") == 0)
		return "the server does not allow it: add sluice to output_plugin_libraries and reload the server";
	return NULL;
}
