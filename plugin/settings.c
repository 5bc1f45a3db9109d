#include "settings.h"

#include "mb/pg_wchar.h"
#include "utils/guc.h"

#include "encoding.h"

static void
pin(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

void
settings_pin_encoding(void)
{
	if (strcmp(pg_get_client_encoding_name(), encoding_name()) != 0)
		pin("client_encoding", encoding_name());
}

void
settings_unpin_encoding(void)
{
	pin("client_encoding", GetDatabaseEncodingName());
}

void
settings_pin_text(void)
{
	static const struct {
		const char *name;
		const char *value;
	} pinned[] = {
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"extra_float_digits", "1"}, /* the shortest digits that read back as the same number */
		{"bytea_output", "hex"},
		{"lc_monetary", "C"},
		/* Names in reg* values are written with their schema. */
		{"search_path", "pg_catalog"},
		{"quote_all_identifiers", "off"},
	};

	for (size_t i = 0; i < lengthof(pinned); i++)
		pin(pinned[i].name, pinned[i].value);
}
