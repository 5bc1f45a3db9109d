#include "options.h"

#include "access/transam.h"
#include "access/xlog_internal.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "common/lsn.h"

#include "compat.h"
#include "encoding.h"

/* Reads a value into the options; an invalid one is an ereport. */
typedef void (*option_parser)(struct options *options, const char *name, const char *value);

/* Messages show this much of a value, which may be a list of megabytes. */
#define SHOWN_BYTES 200

static const char *
shown(const char *value)
{
	size_t len = strlen(value);

	if (len <= SHOWN_BYTES)
		return value;
	return psprintf("%.*s ...", pg_mbcliplen(value, SHOWN_BYTES, SHOWN_BYTES), value);
}

static void
refuse_value(const char *name, const char *value, const char *allowed)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value \"%s\" for option \"%s\" of output plugin \"sluice\"", shown(value), name),
			errhint("Allowed are %s.", allowed));
}

static void
parse_format(struct options *options, const char *name, const char *value)
{
	if (strcmp(value, "binary") == 0)
		options->text = false;
	else if (strcmp(value, "text") == 0)
		options->text = true;
	else
		refuse_value(name, value, "\"binary\" and \"text\"");
}

/* The items of a comma-separated list; NIL where it is malformed or empty. */
static List *
split_list(const char *value)
{
	List *items;

	if (!SplitIdentifierString(pstrdup(value), ',', &items))
		return NIL;
	return items;
}

/* Version numbers that the client reads, one at least. */
static void
parse_protocol(struct options *options, const char *name, const char *value)
{
	List *versions = split_list(value);
	ListCell *cell;
	bool common = false;

	(void) options;
	foreach (cell, versions) {
		const char *version = lfirst(cell);

		if (version[0] == '\0' || strspn(version, "0123456789") != strlen(version))
			refuse_value(name, value, "a version number or a comma-separated list of them");
		common |= strtoul(version, NULL, 10) == CHANGE_VERSION;
	}
	if (versions == NIL)
		refuse_value(name, value, "a version number or a comma-separated list of them");
	if (!common)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("client wants protocol %s, this plugin speaks %d", shown(value), CHANGE_VERSION),
				errhint("Use client and output plugin \"sluice\" of the same release."));
}

static void
parse_patterns(struct pattern_list *list, const char *name, const char *value)
{
	const char *problem = NULL;
	const char *at = encoding_to_utf8(value);

	while (at && !problem) {
		CHECK_FOR_INTERRUPTS();
		problem = pattern_list_take(list, &at);
	}
	if (problem)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("invalid value \"%s\" for option \"%s\" of output plugin \"sluice\"",
					   shown(at && strlen(value) > SHOWN_BYTES ? encoding_to_server(at) : value), name),
				errdetail("In the list of patterns, %s.", problem),
				errhint("Patterns are like public.*, sales.order_20?? or \"My Schema\".\"Order\", "
						"separated by commas."));
}

static void
parse_tables(struct options *options, const char *name, const char *value)
{
	parse_patterns(&options->tables, name, value);
}

static void
parse_exclude_tables(struct options *options, const char *name, const char *value)
{
	parse_patterns(&options->exclude_tables, name, value);
}

static void
parse_text_tables(struct options *options, const char *name, const char *value)
{
	parse_patterns(&options->text_tables, name, value);
}

/* Reads a list of table='condition', in which each quote within a condition is doubled. */
struct filter_reader {
	const char *option;
	const char *value;
	const char *at;
	const char *start; /* of the filter being read */
};

static void
refuse_filters(const struct filter_reader *r, const char *problem)
{
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("invalid value \"%s\" for option \"%s\" of output plugin \"sluice\"",
				   strlen(r->value) > SHOWN_BYTES ? shown(r->start) : r->value, r->option),
			errdetail("In the list of filters, %s.", problem),
			errhint("Filters are like public.orders='region = ''EU''', separated by commas."));
}

static void
skip_blanks(struct filter_reader *r)
{
	while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')
		r->at++;
}

/* The name before the next = that is not within double quotes. */
static char *
read_filter_table(struct filter_reader *r)
{
	const char *start = r->at;
	bool quoted = false;
	char *name;

	for (; *r->at && (quoted || *r->at != '='); r->at++)
		quoted ^= *r->at == '"';
	if (*r->at != '=')
		refuse_filters(r, "a table's name is not followed by =");
	name = pnstrdup(start, r->at++ - start);
	for (size_t len = strlen(name); len > 0 && name[len - 1] == ' '; len--)
		name[len - 1] = '\0';
	return name;
}

static char *
read_condition(struct filter_reader *r)
{
	StringInfoData text;

	initStringInfo(&text);
	skip_blanks(r);
	if (*r->at++ != '\'')
		refuse_filters(r, "a condition is not in single quotes");
	for (;; r->at++) {
		if (*r->at == '\0')
			refuse_filters(r, "a condition's quotes are not closed");
		if (*r->at == '\'' && *++r->at != '\'')
			return text.data;
		appendStringInfoChar(&text, *r->at);
	}
}

static void
read_filter(struct options *options, struct filter_reader *r)
{
	char *table = read_filter_table(r);
	unsigned before = options->filtered.count;
	const char *problem = pattern_list_add(&options->filtered, encoding_to_utf8(table));

	if (problem)
		refuse_filters(r, problem);
	if (options->filtered.wild.count > 0)
		refuse_filters(r, "a table's name has wildcards");
	if (options->filtered.count == before)
		refuse_filters(r, "a table is named twice");
	options->conditions = lappend(options->conditions, read_condition(r));
}

static void
parse_filters(struct options *options, const char *name, const char *value)
{
	struct filter_reader r = {name, value, value, value};

	do {
		CHECK_FOR_INTERRUPTS();
		skip_blanks(&r);
		r.start = r.at;
		read_filter(options, &r);
		skip_blanks(&r);
	} while (*r.at == ',' && r.at++);
	if (*r.at)
		refuse_filters(&r, "something follows a condition");
}

static const struct {
	const char *name;
	enum operation operation;
} operation_names[] = {
	{"insert", OPERATION_INSERT},
	{"update", OPERATION_UPDATE},
	{"delete", OPERATION_DELETE},
	{"truncate", OPERATION_TRUNCATE},
};

static unsigned
find_operation(const char *name)
{
	for (size_t i = 0; i < lengthof(operation_names); i++)
		if (strcmp(name, operation_names[i].name) == 0)
			return operation_names[i].operation;
	return 0;
}

static void
parse_operations(struct options *options, const char *name, const char *value)
{
	static const char allowed[] = "\"insert\", \"update\", \"delete\" and \"truncate\", separated by commas";
	List *operations = split_list(value);
	ListCell *cell;

	options->operations = 0;
	foreach (cell, operations) {
		unsigned operation = find_operation(lfirst(cell));

		if (!operation)
			refuse_value(name, value, allowed);
		options->operations |= operation;
	}
	if (!options->operations)
		refuse_value(name, value, allowed);
}

static bool
parse_switch(const char *name, const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		refuse_value(name, value, "\"on\" and \"off\"");
	return strcmp(value, "on") == 0;
}

static void
parse_streaming(struct options *options, const char *name, const char *value)
{
	options->streaming = parse_switch(name, value);
	if (options->streaming && !COMPAT_STREAMING)
		ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("changes of transactions in progress are sent by PostgreSQL 14 and later"),
				errdetail("Option \"%s\" of output plugin \"sluice\" is \"%s\".", name, value),
				errhint("Leave it out, or set it to \"off\"."));
}

static void
parse_messages(struct options *options, const char *name, const char *value)
{
	options->messages = parse_switch(name, value);
}

static void
parse_definitions(struct options *options, const char *name, const char *value)
{
	options->definitions = parse_switch(name, value);
}

static void
parse_seen(struct options *options, const char *name, const char *value)
{
	char *colon;
	unsigned long xid = strtoul(value, &colon, 10);
	uint64_t lsn = 0;

	if (*colon != ':' || xid > MaxTransactionId || !TransactionIdIsNormal((TransactionId) xid) ||
		!lsn_parse(colon + 1, &lsn) || !XRecOffIsValid(lsn))
		refuse_value(name, value, "a transaction ID and the position of its commit, as in 733:0/16B3748");
	options->seen_xid = (TransactionId) xid;
	options->seen_commit = lsn;
}

static void
parse_compression(struct options *options, const char *name, const char *value)
{
	options->lz4 = strcmp(value, "lz4") == 0;
	if (!options->lz4 && strcmp(value, "none") != 0)
		refuse_value(name, value, "\"none\" and \"lz4\"");
}

static const struct {
	const char *name;
	option_parser parse;
	const char *initially; /* NULL: named in the startup message only when given */
	bool announced;
} option_table[] = {
	{"format", parse_format, "binary", false},
	{"protocol", parse_protocol, CHANGE_VERSION_TEXT, false},
	{"tables", parse_tables, NULL, true},
	{"exclude_tables", parse_exclude_tables, NULL, true},
	{"text_tables", parse_text_tables, NULL, true},
	{"filters", parse_filters, NULL, true},
	{"operations", parse_operations, "insert,update,delete,truncate", true},
	{"streaming", parse_streaming, "off", true},
	{"compression", parse_compression, "none", true},
	{"messages", parse_messages, "off", true},
	{"definitions", parse_definitions, "off", true},
	{"seen", parse_seen, NULL, false},
};

StaticAssertDecl(lengthof(option_table) <= OPTIONS_MAX, "OPTIONS_MAX is too small");

static size_t
find_option(const char *name)
{
	StringInfoData names;

	for (size_t i = 0; i < lengthof(option_table); i++)
		if (strcmp(name, option_table[i].name) == 0)
			return i;
	initStringInfo(&names);
	for (size_t i = 0; i < lengthof(option_table); i++)
		appendStringInfo(&names, "%s\"%s\"", i ? ", " : "", option_table[i].name);
	ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			errmsg("unknown option \"%s\" for output plugin \"sluice\"", name),
			errhint("Allowed are %s.", names.data));
	pg_unreachable();
}

static const char *
option_value(const DefElem *given)
{
	if (!given->arg)
		ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("option \"%s\" of output plugin \"sluice\" needs a value", given->defname));
	return strVal(given->arg);
}

static struct bytes
view(const char *text)
{
	return (struct bytes){(const uint8_t *) text, strlen(text)};
}

static void
announce(struct options *options, const char *name, const char *value)
{
	options->effective[options->effective_count++] =
		(struct change_option){view(name), view(encoding_to_utf8(value))};
}

/* A memory context's callback. */
static void
release_patterns(void *arg)
{
	struct options *options = arg;

	pattern_list_free(&options->tables);
	pattern_list_free(&options->exclude_tables);
	pattern_list_free(&options->text_tables);
	pattern_list_free(&options->filtered);
}

/* Patterns are on the heap, since common/ does not use memory contexts. */
static void
release_with(struct options *options, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof *callback);

	callback->func = release_patterns;
	callback->arg = options;
	MemoryContextRegisterResetCallback(context, callback);
}

void
options_parse(struct options *options, List *given, MemoryContext context)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	const char *values[lengthof(option_table)] = {NULL};
	ListCell *cell;

	*options = (struct options){.operations = OPERATION_ALL};
	release_with(options, context);
	foreach (cell, given) {
		const DefElem *item = lfirst(cell);
		size_t i = find_option(item->defname);

		if (values[i])
			ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR),
					errmsg("option \"%s\" of output plugin \"sluice\" is given twice", item->defname));
		values[i] = pstrdup(option_value(item));
		option_table[i].parse(options, option_table[i].name, values[i]);
	}
	for (size_t i = 0; i < lengthof(option_table); i++) {
		const char *value = values[i] ? values[i] : option_table[i].initially;

		if (value && option_table[i].announced)
			announce(options, option_table[i].name, value);
	}
	MemoryContextSwitchTo(before);
}

bool
options_select(const struct options *options, const char *schema, const char *relation)
{
	if (options->tables.count > 0 && !pattern_list_matches(&options->tables, schema, relation))
		return false;
	return !pattern_list_matches(&options->exclude_tables, schema, relation);
}

const char *
options_filter(const struct options *options, const char *schema, const char *relation)
{
	uint32_t position = pattern_list_find(&options->filtered, schema, relation);

	return position == PATTERN_NONE ? NULL : list_nth(options->conditions, (int) position);
}

bool
options_select_partition(const struct options *options, const char *schema, const char *relation)
{
	return pattern_list_find(&options->tables, schema, relation) != PATTERN_NONE &&
		   !pattern_list_matches(&options->exclude_tables, schema, relation);
}
