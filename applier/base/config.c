#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/pattern.h"
#include "config_field.h"
#include "config_schema.h"
#include "config_syntax.h"
#include "config_value.h"
#include "memory.h"
#include "nearest.h"

#define FILE_BYTES_MAX (1 << 20)

/* Shared by the functions that read the document. */
struct reader {
	const char *name;
	yaml_document_t document;
	struct config *config;
	struct error *err;
};

static bool fail_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...) PRINTF_LIKE(3, 4);

static bool
fail_at(struct reader *r, yaml_mark_t mark, const char *fmt, ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(r->err, ERROR_CONFIG, "%s:%zu:%zu: %s", r->name, mark.line + 1, mark.column + 1, text);
}

/* The schema table */

/* The key's own name if the option is directly below the prefix; otherwise NULL. */
static const char *
name_below(const struct config_option *option, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(option->path, prefix, len) != 0 || strpbrk(option->path + len, ".["))
		return NULL;
	return option->path + len;
}

static const struct config_option *
find_option(const char *prefix, const char *key)
{
	for (unsigned i = 0; i < config_schema_count; i++) {
		const char *name = name_below(&config_schema[i], prefix);

		if (name && strcmp(name, key) == 0)
			return &config_schema[i];
	}
	return NULL;
}

/* The hint names the key that was probably meant, or else all allowed keys. */
static void
hint_at_keys(struct error *err, const char *prefix, const char *key)
{
	struct nearest nearest = {.typed = key};
	char names[ERROR_HINT_MAX] = "";
	size_t len = 0;

	for (unsigned i = 0; i < config_schema_count; i++) {
		const char *name = name_below(&config_schema[i], prefix);

		if (!name)
			continue;
		nearest_offer(&nearest, name);
		len += (size_t) snprintf(names + len, sizeof(names) - len, "%s%s", len ? ", " : "", name);
	}
	if (nearest.name)
		error_hint(err, "Did you mean \"%s\"?", nearest.name);
	else
		error_hint(err, "Allowed here: %s.", names);
}

/*
 * The document
 */

static yaml_node_t *
node_of(struct reader *r, int index)
{
	return yaml_document_get_node(&r->document, index);
}

static const char *
scalar_text(const yaml_node_t *node)
{
	return (const char *) node->data.scalar.value;
}

static bool
has_default_tag(const yaml_node_t *node)
{
	const char *tag = (const char *) node->tag;

	return strcmp(tag, YAML_DEFAULT_SCALAR_TAG) == 0 || strcmp(tag, YAML_DEFAULT_SEQUENCE_TAG) == 0 ||
		   strcmp(tag, YAML_DEFAULT_MAPPING_TAG) == 0;
}

static bool
is_null(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return *scalar_text(node) == '\0' || config_value_word("~ null Null NULL", scalar_text(node)) >= 0;
}

/* Checks that the node has the type that the key needs. */
static bool
check_node(struct reader *r, const char *path, const yaml_node_t *node, yaml_node_type_t type)
{
	static const char *const names[] = {
		[YAML_SCALAR_NODE] = "a single value",
		[YAML_SEQUENCE_NODE] = "a list",
		[YAML_MAPPING_NODE] = "a mapping of keys to values",
	};

	if (!has_default_tag(node))
		return fail_at(r, node->start_mark, "\"%s\" has a tag, which has no meaning here", path);
	if (is_null(node))
		return fail_at(r, node->start_mark, "\"%s\" has no value, it must be %s", path, names[type]);
	if (node->type != type)
		return fail_at(r, node->start_mark, "\"%s\" must be %s, not %s", path, names[type],
					   names[node->type]);
	if (type == YAML_SCALAR_NODE && strlen(scalar_text(node)) != node->data.scalar.length)
		return fail_at(r, node->start_mark, "\"%s\" must not contain a zero byte", path);
	return true;
}

/* The value of a key in a mapping; NULL if the mapping or the key does not exist. */
static yaml_node_t *
look_up(struct reader *r, yaml_node_t *mapping, const char *key)
{
	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start; pair < mapping->data.mapping.pairs.top;
		 pair++)
		if (strcmp(scalar_text(node_of(r, pair->key)), key) == 0)
			return node_of(r, pair->value);
	return NULL;
}

/*
 * Values
 */

static bool read_mapping(struct reader *r, const char *prefix, yaml_node_t *node, yaml_mark_t mark,
						 void *base);

static bool
read_items(struct reader *r, const struct config_option *option, yaml_node_t *list, void *field)
{
	struct config_complaint complaint;
	unsigned count = 0;
	int64_t least = 0;

	for (yaml_node_item_t *item = list->data.sequence.items.start; item < list->data.sequence.items.top;
		 item++) {
		yaml_node_t *node = node_of(r, *item);

		if (!check_node(r, option->path, node, YAML_SCALAR_NODE))
			return false;
		if (!config_field_add(option, scalar_text(node), &r->config->memory, field, &complaint))
			return fail_at(r, node->start_mark, "\"%s\" %s", option->path, complaint.text);
		count++;
	}
	if (option->min && config_value_integer(option->min, &least) && count < least)
		return fail_at(r, list->start_mark, "\"%s\" must have at least %s item", option->path, option->min);
	return true;
}

static bool
read_entries(struct reader *r, const struct config_option *option, yaml_node_t *list, char *base)
{
	size_t count = (size_t) (list->data.sequence.items.top - list->data.sequence.items.start);
	char *entries = arena_alloc_zero(&r->config->memory, count * option->entry_bytes);
	char prefix[100];

	*(char **) (base + option->offset) = entries;
	*(unsigned *) (base + option->count_offset) = (unsigned) count;
	snprintf(prefix, sizeof(prefix), "%s[].", option->path);
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *node = node_of(r, list->data.sequence.items.start[i]);

		if (!check_node(r, option->path, node, YAML_MAPPING_NODE) ||
			!read_mapping(r, prefix, node, node->start_mark, entries + i * option->entry_bytes))
			return false;
	}
	return true;
}

static bool
read_section(struct reader *r, const struct config_option *option, yaml_node_t *node, yaml_mark_t mark,
			 void *base)
{
	char prefix[100];

	snprintf(prefix, sizeof(prefix), "%s.", option->path);
	return read_mapping(r, prefix, node, mark, base);
}

static yaml_node_type_t
node_type(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_SECTION:
		return YAML_MAPPING_NODE;
	case CONFIG_ENTRIES:
	case CONFIG_WORDS:
	case CONFIG_PATTERNS:
	case CONFIG_COLUMNS:
		return YAML_SEQUENCE_NODE;
	default:
		return YAML_SCALAR_NODE;
	}
}

static bool
read_value(struct reader *r, const struct config_option *option, yaml_node_t *node, void *base)
{
	void *field = (char *) base + option->offset;
	struct config_complaint complaint;

	if (!check_node(r, option->path, node, node_type(option->kind)))
		return false;
	switch (option->kind) {
	case CONFIG_SECTION:
		return read_section(r, option, node, node->start_mark, base);
	case CONFIG_ENTRIES:
		return read_entries(r, option, node, base);
	case CONFIG_WORDS:
	case CONFIG_PATTERNS:
	case CONFIG_COLUMNS:
		return read_items(r, option, node, field);
	default:
		return config_field_store(option, scalar_text(node), &r->config->memory, field, &complaint) ||
			   fail_at(r, node->start_mark, "\"%s\" %s", option->path, complaint.text);
	}
}

/*
 * Mappings
 */

static bool
fail_unknown(struct reader *r, const char *prefix, const yaml_node_t *node)
{
	const char *key = scalar_text(node);

	/* Text that does not resemble a key may be a misplaced conninfo, so it is not shown. */
	if (config_field_quotable(key))
		fail_at(r, node->start_mark, "unknown key \"%s%s\"", prefix, key);
	else
		fail_at(r, node->start_mark, "unknown key");
	hint_at_keys(r->err, prefix, key);
	return false;
}

static bool
check_duplicate(struct reader *r, const char *prefix, const yaml_node_t *mapping,
				const yaml_node_pair_t *pair)
{
	const yaml_node_t *node = node_of(r, pair->key);

	for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
		const yaml_node_t *first = node_of(r, other->key);

		if (strcmp(scalar_text(first), scalar_text(node)) == 0)
			return fail_at(r, node->start_mark, "duplicate key \"%s%s\", first given in line %zu", prefix,
						   scalar_text(node), first->start_mark.line + 1);
	}
	return true;
}

static bool
read_pair(struct reader *r, const char *prefix, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
		  void *base)
{
	yaml_node_t *key = node_of(r, pair->key);
	const struct config_option *option;

	if (key->type != YAML_SCALAR_NODE || strlen(scalar_text(key)) != key->data.scalar.length)
		return fail_at(r, key->start_mark, "a key must be a plain word");
	option = find_option(prefix, scalar_text(key));
	if (!option)
		return fail_unknown(r, prefix, key);
	if (!check_duplicate(r, prefix, mapping, pair))
		return false;
	if (option->refused && strcmp(option->refused, "*") == 0)
		return fail_at(r, key->start_mark, "\"%s\" is not supported yet", option->path);
	return read_value(r, option, node_of(r, pair->value), base);
}

/* Stores the default of a key that the user did not set, also in sections that are missing entirely. */
static bool
complete(struct reader *r, const struct config_option *option, yaml_mark_t mark, void *base)
{
	if (option->kind == CONFIG_SECTION)
		return read_section(r, option, NULL, mark, base);
	if (option->required)
		return fail_at(r, mark, "missing key \"%s\"", option->path);
	if (option->preset)
		config_field_preset(option, &r->config->memory, (char *) base + option->offset);
	return true;
}

/*
 * Reads the keys below the prefix. `node` is NULL if the section is missing; `mark` is where a missing key
 * is reported.
 */
static bool
read_mapping(struct reader *r, const char *prefix, yaml_node_t *node, yaml_mark_t mark, void *base)
{
	if (node)
		for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
			 pair++)
			if (!read_pair(r, prefix, node, pair, base))
				return false;
	for (unsigned i = 0; i < config_schema_count; i++) {
		const char *name = name_below(&config_schema[i], prefix);

		if (name && !look_up(r, node, name) && !complete(r, &config_schema[i], mark, base))
			return false;
	}
	return true;
}

/* Checks that involve several keys */

/* Whether the list contains the table already; adds it if not. */
static bool
named_again(struct pattern_list *named, const char *table)
{
	unsigned before = named->count;

	return !pattern_list_add(named, table) && named->count == before;
}

static bool
check_overrides(struct reader *r, yaml_node_t *root)
{
	const struct config *config = r->config;
	yaml_node_t *list = look_up(r, look_up(r, root, "tables"), "overrides");
	struct pattern_list named = {0};
	bool ok = true;

	for (unsigned i = 0; ok && i < config->tables.override_count; i++) {
		yaml_node_t *entry = node_of(r, list->data.sequence.items.start[i]);

		if (named_again(&named, config->tables.overrides[i].source))
			ok = fail_at(r, look_up(r, entry, "source")->start_mark,
						 "\"tables.overrides[].source\" names the same table twice");
	}
	pattern_list_free(&named);
	return ok;
}

static bool
check_sizes(struct reader *r, yaml_node_t *root)
{
	struct config *config = r->config;
	yaml_node_t *max_bytes = look_up(r, look_up(r, root, "apply"), "max_bytes");

	if (max_bytes && config->apply.max_bytes > config->apply.memory_bytes)
		return fail_at(r, max_bytes->start_mark,
					   "\"apply.max_bytes\" must not be larger than \"apply.memory\"");
	if (!max_bytes && config->apply.max_bytes > config->apply.memory_bytes / 4)
		config->apply.max_bytes = config->apply.memory_bytes / 4;
	return true;
}

static struct config_place
place_of(struct reader *r, yaml_node_t *root, const char *section, const char *key)
{
	yaml_mark_t mark = look_up(r, look_up(r, root, section), key)->start_mark;

	return (struct config_place){mark.line + 1, mark.column + 1};
}

static void
name_slot(struct config *config)
{
	static const char prefix[] = "sluice_";
	size_t bytes;

	if (config->source.slot)
		return;
	bytes = sizeof(prefix) + strlen(config->task);
	config->source.slot = arena_alloc_unaligned(&config->memory, bytes);
	snprintf(config->source.slot, bytes, "%s%s", prefix, config->task);
}

/*
 * The file
 */

static bool
fail_syntax(struct reader *r, const yaml_parser_t *parser, const char *text, size_t len)
{
	return config_syntax_explain(parser, r->name, text, len, r->err);
}

static bool
read_document(struct reader *r)
{
	yaml_node_t *root = yaml_document_get_root_node(&r->document);

	if (!root)
		return fail_at(r, (yaml_mark_t){0}, "the configuration is empty");
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(r, root->start_mark, "the configuration must be a mapping of keys to values");
	if (!read_mapping(r, "", root, root->start_mark, r->config))
		return false;
	name_slot(r->config);
	r->config->source.conninfo_place = place_of(r, root, "source", "conninfo");
	r->config->destination.conninfo_place = place_of(r, root, "destination", "conninfo");
	if (r->config->http_listen)
		r->config->http_listen_place = place_of(r, root, "http", "listen");
	return check_overrides(r, root) && check_sizes(r, root);
}

/* Refuses a second document, which would otherwise be ignored. */
static bool
check_end(struct reader *r, yaml_parser_t *parser, const char *text, size_t len)
{
	yaml_document_t rest;
	yaml_node_t *root;
	bool ended;

	if (!yaml_parser_load(parser, &rest))
		return fail_syntax(r, parser, text, len);
	root = yaml_document_get_root_node(&rest);
	ended = !root || fail_at(r, root->start_mark, "there must be only one document in the file");
	yaml_document_delete(&rest);
	return ended;
}

static bool
read_text(struct reader *r, yaml_parser_t *parser, const char *text, size_t len)
{
	bool read;

	if (!yaml_parser_load(parser, &r->document))
		return fail_syntax(r, parser, text, len);
	read = read_document(r) && check_end(r, parser, text, len);
	yaml_document_delete(&r->document);
	return read;
}

bool
config_parse(const char *text, size_t len, const char *name, struct config *config, struct error *err)
{
	struct reader r = {.name = name, .config = config, .err = err};
	yaml_parser_t parser;
	bool read;

	*config = (struct config){0};
	arena_init(&config->memory, 4096);
	if (!yaml_parser_initialize(&parser))
		memory_exhausted(sizeof(parser));
	yaml_parser_set_input_string(&parser, (const unsigned char *) text, len);
	read = read_text(&r, &parser, text, len);
	yaml_parser_delete(&parser);
	if (!read)
		config_free(config);
	return read;
}

static bool
read_file(const char *path, char *text, size_t *len, struct error *err)
{
	FILE *file = fopen(path, "re");
	bool read = true;

	if (!file)
		return error_set(err, ERROR_CONFIG, "could not open configuration file \"%s\": %s", path,
						 strerror(errno));
	*len = fread(text, 1, FILE_BYTES_MAX + 1, file);
	if (ferror(file))
		read = error_set(err, ERROR_CONFIG, "could not read configuration file \"%s\": %s", path,
						 strerror(errno));
	else if (*len > FILE_BYTES_MAX)
		read = error_set(err, ERROR_CONFIG, "configuration file \"%s\" is larger than 1 MB", path);
	fclose(file);
	return read;
}

bool
config_load(const char *path, struct config *config, struct error *err)
{
	struct arena file;
	size_t len = 0;
	char *text;
	bool read;

	*config = (struct config){0};
	arena_init(&file, FILE_BYTES_MAX);
	text = arena_alloc(&file, FILE_BYTES_MAX + 1);
	read = read_file(path, text, &len, err) && config_parse(text, len, path, config, err);
	arena_fini(&file);
	return read;
}

void
config_free(struct config *config)
{
	arena_fini(&config->memory);
	*config = (struct config){0};
}
