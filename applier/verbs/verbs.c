#include "verbs.h"

#include <stdio.h>

#include "servers/server_session.h"
#include "servers/source_catalog.h"
#include "servers/target.h"
#include "state/state_install.h"

struct application {
	char name[64];
};

static struct application
application_of(const struct config *config)
{
	struct application application;

	snprintf(application.name, sizeof application.name, "sluice %s", config->task);
	return application;
}

bool
verb_open_source(struct verb_ends *ends, struct loop *loop, const struct config *config, struct error *err)
{
	struct application application = application_of(config);

	ends->source = server_session_source(loop, config, application.name, err);
	return ends->source != NULL;
}

bool
verb_open_destination(struct verb_ends *ends, struct loop *loop, const struct config *config,
					  struct error *err)
{
	struct application application = application_of(config);
	struct destination_session opened;

	if (!server_session_destination(loop, config, application.name, &opened, err))
		return false;
	ends->destination = opened.conn;
	ends->dialect = opened.dialect;
	ends->opened = opened;
	return state_check_rights(ends->destination, err);
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
