#include "verbs.h"

#include <stdio.h>

#include "servers/source.h"
#include "servers/target.h"
#include "state/state_install.h"

static struct connection *
open_end(struct loop *loop, const struct config *config, const char *name, const char *conninfo,
		 struct error *err)
{
	char application[64];

	snprintf(application, sizeof application, "sluice %s", config->task);
	return connection_open(loop, name, conninfo, CONNECTION_SQL, application, err);
}

bool
verb_open_source(struct verb_ends *ends, struct loop *loop, const struct config *config, struct error *err)
{
	ends->source = open_end(loop, config, "source", config->source.conninfo, err);
	return ends->source && connection_execute(ends->source, source_session_settings, NULL, 0, NULL, err);
}

bool
verb_open_destination(struct verb_ends *ends, struct loop *loop, const struct config *config,
					  struct error *err)
{
	bool triggers_off;

	ends->destination = open_end(loop, config, "destination", config->destination.conninfo, err);
	return ends->destination &&
		   target_open_session(ends->destination, config->destination.dialect, &ends->dialect, &triggers_off,
							   err) &&
		   state_check_rights(ends->destination, err);
}

const struct config *
verb_select_tables(struct verb_ends *ends, const struct config *config, struct error *err)
{
	selection_init(&ends->selection, config);
	return selection_read(&ends->selection, ends->destination, err) ? &ends->selection.config : NULL;
}

bool
verb_read_catalog(struct verb_ends *ends, const struct config *config, struct error *err)
{
	return source_read_catalog(ends->source, config, &ends->catalog, err) &&
		   target_read_catalog(ends->destination, ends->dialect, &ends->catalog, err);
}

void
verb_ends_close(struct verb_ends *ends)
{
	catalog_free(&ends->catalog);
	selection_fini(&ends->selection);
	connection_close(ends->source);
	connection_close(ends->destination);
	*ends = (struct verb_ends){0};
}
