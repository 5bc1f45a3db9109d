#include "precheck_names.h"

#include "base/memory.h"
#include "quote.h"

void
precheck_names_init(struct precheck_names *names)
{
	memory_buffer_init_limited(&names->text, 800);
	names->count = 0;
}

void
precheck_names_add(struct precheck_names *names, const char *name, const char *after)
{
	buffer_printf(&names->text, names->count++ ? ", " : "");
	quote_identifier(&names->text, name);
	buffer_printf(&names->text, "%s", after);
}

const char *
precheck_names_text(struct precheck_names *names)
{
	if (names->text.failed || !buffer_reserve(&names->text, 1)) {
		names->text.failed = false;
		if (names->text.len == names->text.limit)
			names->text.len--;
	}
	buffer_put_u8(&names->text, '\0');
	return (const char *) names->text.data;
}

void
precheck_names_fini(struct precheck_names *names)
{
	buffer_fini(&names->text);
}
