#include "encoding.h"

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "compat.h"

/* Strings are converted in pieces of at most this size: each needs MAX_CONVERSION_GROWTH times its size of memory. */
#define PIECE_BYTES (64 * 1024)

/* Appended to a string that could not be converted; no UTF-8 text has this byte. */
#define NOT_UTF8 '\xff'

/* Global, since a server process belongs to one database. */
static struct {
	bool converts;
	FmgrInfo to_utf8;
	FmgrInfo to_server;
} conversion;

void
encoding_init(void)
{
	int database = GetDatabaseEncoding();
	Oid to_utf8 = InvalidOid, to_server = InvalidOid;

	if (database != PG_UTF8 && database != PG_SQL_ASCII) {
		to_utf8 = FindDefaultConversionProc(database, PG_UTF8);
		to_server = FindDefaultConversionProc(PG_UTF8, database);
	}
	conversion.converts = OidIsValid(to_utf8) && OidIsValid(to_server);
	if (!conversion.converts)
		return;
	fmgr_info_cxt(to_utf8, &conversion.to_utf8, TopMemoryContext);
	fmgr_info_cxt(to_server, &conversion.to_server, TopMemoryContext);
}

const char *
encoding_name(void)
{
	return conversion.converts ? "UTF8" : GetDatabaseEncodingName();
}

bool
encoding_converts(void)
{
	return conversion.converts;
}

/* ASCII text is the same in every server encoding and needs no conversion. */
static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (IS_HIGHBIT_SET(text[i]))
			return false;
	return true;
}

static bool
has_room(StringInfo out)
{
	return (size_t) out->len + (size_t) PIECE_BYTES * MAX_CONVERSION_GROWTH + 1 < MaxAllocSize;
}

/* Appends the converted text; false: the other encoding lacks a character, or there is no room. */
static bool
convert(StringInfo out, FmgrInfo *function, int from, int to, const char *text, size_t len)
{
	while (len > 0) {
		int piece = pg_encoding_mbcliplen(from, text, (int) Min(len, INT_MAX), PIECE_BYTES);

		if (piece == 0 || !has_room(out))
			return false;
		piece = (int) Min((size_t) piece, len);
		enlargeStringInfo(out, piece * MAX_CONVERSION_GROWTH + 1);
		if (!compat_convert(function, from, to, text, piece, out->data + out->len))
			return false;
		out->len += (int) strlen(out->data + out->len);
		text += piece;
		len -= (size_t) piece;
	}
	return true;
}

static bool
convert_to_utf8(StringInfo out, const char *text, size_t len)
{
	return convert(out, &conversion.to_utf8, GetDatabaseEncoding(), PG_UTF8, text, len);
}

static void
put_as_stored(struct buffer *b, const char *head, size_t head_bytes, const char *text, size_t len,
			  size_t more)
{
	buffer_put_varint(b, head_bytes + len + more);
	buffer_put(b, head, head_bytes);
	buffer_put(b, text, len);
}

void
encoding_put_unconverted(struct buffer *b, const char *head, size_t head_bytes, const char *text, size_t len)
{
	put_as_stored(b, head, head_bytes, text, len, 1);
	buffer_put_u8(b, (uint8_t) NOT_UTF8);
}

void
encoding_put(struct buffer *b, const char *head, size_t head_bytes, const char *text, size_t len)
{
	StringInfoData converted;

	if (!conversion.converts || is_ascii(text, len)) {
		put_as_stored(b, head, head_bytes, text, len, 0);
		return;
	}
	initStringInfo(&converted);
	if (convert_to_utf8(&converted, text, len))
		put_as_stored(b, head, head_bytes, converted.data, (size_t) converted.len, 0);
	else if (has_room(&converted))
		encoding_put_unconverted(b, head, head_bytes, text, len);
	else
		b->failed = true; /* the row is too large: the writer raises the error */
	pfree(converted.data);
}

char *
encoding_to_utf8(const char *text)
{
	StringInfoData converted;

	if (!conversion.converts || is_ascii(text, strlen(text)))
		return pstrdup(text);
	initStringInfo(&converted);
	if (convert_to_utf8(&converted, text, strlen(text)))
		return converted.data;
	return psprintf("%s%c", text, NOT_UTF8);
}

const char *
encoding_to_server(const char *text)
{
	StringInfoData converted;
	size_t len = strlen(text);

	if (!conversion.converts || is_ascii(text, len))
		return text;
	initStringInfo(&converted);
	if (convert(&converted, &conversion.to_server, PG_UTF8, GetDatabaseEncoding(), text, len))
		return converted.data;
	/* encoding_put_unconverted() left it as stored, with NOT_UTF8 appended. */
	return text[len - 1] == NOT_UTF8 ? pnstrdup(text, len - 1) : text;
}
