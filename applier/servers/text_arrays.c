#include "text_arrays.h"

#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"

void
text_arrays_init(struct text_arrays *arrays, unsigned columns)
{
	arrays->columns = columns;
	for (unsigned i = 0; i < columns; i++)
		memory_buffer_init(&arrays->texts[i]);
	memory_buffer_init(&arrays->added);
}

void
text_arrays_fini(struct text_arrays *arrays)
{
	for (unsigned i = 0; i < arrays->columns; i++)
		buffer_fini(&arrays->texts[i]);
	buffer_fini(&arrays->added);
}

static void
put_row(struct text_arrays *arrays, const char *const row[])
{
	for (unsigned i = 0; i < arrays->columns; i++)
		sql_array_element(&arrays->texts[i], row[i]);
}

void
text_arrays_add(struct text_arrays *arrays, const char *const row[])
{
	buffer_put(&arrays->added, row, arrays->columns * sizeof *row);
	put_row(arrays, row);
}

static bool
ask(struct text_arrays *arrays, struct connection *destination, const char *sql, struct result **res,
	struct error *err)
{
	struct param params[TEXT_ARRAYS_MAX];

	for (unsigned i = 0; i < arrays->columns; i++) {
		sql_array_end(&arrays->texts[i]);
		params[i] = param_text(sql_text(&arrays->texts[i]));
	}
	return connection_execute(destination, sql, params, arrays->columns, res, err);
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char) *text > 127)
			return false;
	return true;
}

bool
text_arrays_find_known(struct connection *destination, const char *text, bool *known, struct error *err)
{
	struct param param = param_text(text);

	*known = is_ascii(text) || connection_execute(destination, "SELECT $1::text", &param, 1, NULL, err);
	return *known || sqlstate_is_of_encoding(err->sqlstate);
}

static bool
replace_unknown(struct text_arrays *arrays, struct connection *destination, struct error *err)
{
	static const char *const nothing[TEXT_ARRAYS_MAX] = {"", "", ""};
	const size_t row_bytes = arrays->columns * sizeof(char *);

	for (unsigned i = 0; i < arrays->columns; i++)
		buffer_reset(&arrays->texts[i]);
	for (size_t at = 0; at < arrays->added.len; at += row_bytes) {
		const char *row[TEXT_ARRAYS_MAX];
		bool known = true;

		memcpy(row, arrays->added.data + at, row_bytes);
		for (unsigned i = 0; known && i < arrays->columns; i++)
			if (!text_arrays_find_known(destination, row[i], &known, err))
				return false;
		put_row(arrays, known ? row : nothing);
	}
	return true;
}

bool
text_arrays_execute(struct text_arrays *arrays, struct connection *destination, const char *sql,
					struct result **res, struct error *err)
{
	if (ask(arrays, destination, sql, res, err))
		return true;
	return sqlstate_is_of_encoding(err->sqlstate) && replace_unknown(arrays, destination, err) &&
		   ask(arrays, destination, sql, res, err);
}
