#include "config_schema.h"

#include "config.h"

/* clang-format off */
#define SECTION(name) {.path = (name), .kind = CONFIG_SECTION}
/* clang-format on */
#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_OVERRIDE(field) .offset = offsetof(struct table_override, field)
#define IN_RENAME(field) .offset = offsetof(struct column_rename, field)

/* The positions of the words must be the values of the enums. */
_Static_assert(COMPRESSION_LZ4 == 1, "none lz4");
_Static_assert(COPY_MODE_NONE == 1, "full none");
_Static_assert(COPY_EXISTING_APPEND == 2, "error clear append");
_Static_assert(SCHEMA_CHANGES_IGNORE == 2, "follow stop ignore");
_Static_assert(SCHEMA_INDEXES_ALL == 2, "none unique all");
_Static_assert(SCHEMA_PARTITIONS_KEEP == 1, "flatten keep");
_Static_assert(TABLE_STORAGE_PAX == 5, "default heap ao_row ao_column beam pax");
_Static_assert(REFUSED_HOLD == 1, "stop hold");
_Static_assert(OPERATION_TRUNCATE == 1 << 3, "insert update delete truncate");
_Static_assert(LOG_ERROR == 3 && LOG_JSON == 1, "debug info warning error; text json");

/* clang-format off */
const struct config_option config_schema[] = {
	{"task", CONFIG_TASK, .required = true, IN_CONFIG(task)},

	SECTION("source"),
	{"source.conninfo", CONFIG_SECRET, .required = true, IN_CONFIG(source.conninfo)},
	{"source.slot", CONFIG_SLOT, IN_CONFIG(source.slot)},
	{"source.failover", CONFIG_BOOLEAN, IN_CONFIG(source.failover), .preset = "false",
		.words = "false true"},
	{"source.compression", CONFIG_WORD, IN_CONFIG(source.compression), .preset = "none", .words = "none lz4"},

	SECTION("destination"),
	{"destination.conninfo", CONFIG_SECRET, .required = true, IN_CONFIG(destination.conninfo)},
	{"destination.dialect", CONFIG_CHOICE, IN_CONFIG(destination.dialect), .preset = "auto",
		.words = "auto postgresql greenplum6 greenplum7 cloudberry adbpg6 adbpg7"},

	SECTION("tables"),
	{"tables.include", CONFIG_PATTERNS, .required = true, IN_CONFIG(tables.include), .min = "1"},
	{"tables.exclude", CONFIG_PATTERNS, IN_CONFIG(tables.exclude)},
	{"tables.overrides", CONFIG_ENTRIES, IN_CONFIG(tables.overrides),
		.count_offset = offsetof(struct config, tables.override_count),
		.entry_bytes = sizeof(struct table_override)},
	{"tables.overrides[].source", CONFIG_TABLE, .required = true, IN_OVERRIDE(source)},
	{"tables.overrides[].target", CONFIG_TABLE, IN_OVERRIDE(target)},
	{"tables.overrides[].columns", CONFIG_COLUMNS, IN_OVERRIDE(columns), .min = "1"},
	{"tables.overrides[].rename", CONFIG_ENTRIES, IN_OVERRIDE(rename),
		.count_offset = offsetof(struct table_override, rename_count),
		.entry_bytes = sizeof(struct column_rename)},
	{"tables.overrides[].rename[].from", CONFIG_COLUMN, .required = true, IN_RENAME(from)},
	{"tables.overrides[].rename[].to", CONFIG_COLUMN, .required = true, IN_RENAME(to)},
	{"tables.overrides[].key", CONFIG_COLUMNS, IN_OVERRIDE(key), .min = "1"},
	{"tables.overrides[].where", CONFIG_TEXT, IN_OVERRIDE(where)},
	{"tables.overrides[].operations", CONFIG_WORDS, IN_OVERRIDE(operations), .min = "1",
		.words = "insert update delete truncate"},
	{"tables.overrides[].distributed_by", CONFIG_COLUMNS, IN_OVERRIDE(distributed_by), .min = "1"},
	{"tables.overrides[].storage", CONFIG_WORD, IN_OVERRIDE(storage), .preset = "default",
		.words = "default heap ao_row ao_column beam pax"},
	{"tables.overrides[].fillfactor", CONFIG_INTEGER, IN_OVERRIDE(fillfactor), .min = "10", .max = "100"},
	{"tables.overrides[].rows_may_be_absent", CONFIG_BOOLEAN, IN_OVERRIDE(rows_may_be_absent),
		.preset = "false", .words = "false true"},

	{"operations", CONFIG_WORDS, IN_CONFIG(operations), .preset = "insert update delete truncate",
		.min = "1", .words = "insert update delete truncate"},

	SECTION("initial_copy"),
	{"initial_copy.mode", CONFIG_WORD, IN_CONFIG(initial_copy.mode), .preset = "full", .words = "full none"},
	{"initial_copy.existing", CONFIG_WORD, IN_CONFIG(initial_copy.existing), .preset = "error",
		.words = "error clear append"},
	{"initial_copy.jobs", CONFIG_INTEGER, IN_CONFIG(initial_copy.jobs), .preset = "4", .min = "1", .max = "64"},
	{"initial_copy.part", CONFIG_SIZE, IN_CONFIG(initial_copy.part_bytes), .preset = "32MB", .min = "64kB", .max = "1048576GB"},
	{"initial_copy.rate", CONFIG_RATE, .at_once = true, IN_CONFIG(initial_copy.rate_bytes), .preset = "unlimited",
		.min = "1kB/s", .max = "1024GB/s"},

	SECTION("schema"),
	{"schema.create", CONFIG_BOOLEAN, IN_CONFIG(schema.create), .preset = "true", .words = "false true"},
	{"schema.indexes", CONFIG_WORD, IN_CONFIG(schema.indexes), .preset = "unique", .words = "none unique all"},
	{"schema.partitions", CONFIG_WORD, IN_CONFIG(schema.partitions), .preset = "flatten",
		.words = "flatten keep"},
	{"schema.changes", CONFIG_WORD, IN_CONFIG(schema.changes), .preset = "follow",
		.words = "follow stop ignore"},

	SECTION("apply"),
	{"apply.max_delay", CONFIG_DURATION, .at_once = true, IN_CONFIG(apply.max_delay_ms), .preset = "1s", .min = "0", .max = "1h"},
	{"apply.max_bytes", CONFIG_SIZE, IN_CONFIG(apply.max_bytes), .preset = "64MB", .min = "64kB", .max = "8GB"},
	{"apply.memory", CONFIG_SIZE, IN_CONFIG(apply.memory_bytes), .preset = "256MB", .min = "16MB", .max = "1024GB"},
	{"apply.rate", CONFIG_RATE, .at_once = true, IN_CONFIG(apply.rate_bytes), .preset = "unlimited", .min = "1kB/s",
		.max = "1024GB/s"},
	{"apply.refused", CONFIG_WORD, IN_CONFIG(apply.refused), .preset = "stop", .words = "stop hold"},
	{"apply.vacuum", CONFIG_WORD, IN_CONFIG(apply.vacuum), .preset = "auto", .words = "auto off"},
	{"apply.spill_directory", CONFIG_PATH, IN_CONFIG(apply.spill_directory), .preset = "/var/lib/sluice"},

	SECTION("retry"),
	{"retry.duration", CONFIG_DURATION, .at_once = true, IN_CONFIG(retry_duration_ms), .preset = "12h", .min = "0", .max = "365d"},

	SECTION("wal"),
	{"wal.heartbeat", CONFIG_DURATION, .at_once = true, IN_CONFIG(wal.heartbeat_ms), .preset = "10s", .min = "100ms", .max = "1h"},
	{"wal.warn", CONFIG_SIZE, .at_once = true, IN_CONFIG(wal.warn_bytes), .preset = "10GB", .min = "1MB", .max = "1048576GB"},

	SECTION("http"),
	{"http.listen", CONFIG_TEXT, IN_CONFIG(http_listen)},

	SECTION("log"),
	{"log.level", CONFIG_WORD, .at_once = true, IN_CONFIG(log_level), .preset = "info", .words = "debug info warning error"},
	{"log.format", CONFIG_WORD, .at_once = true, IN_CONFIG(log_format), .preset = "text", .words = "text json"},
};
/* clang-format on */

const unsigned config_schema_count = sizeof(config_schema) / sizeof(config_schema[0]);

const char *
config_kind_name(enum config_kind kind)
{
	static const char *const names[] = {
		[CONFIG_SECTION] = "section",
		[CONFIG_ENTRIES] = "list of mappings",
		[CONFIG_TEXT] = "text",
		[CONFIG_SECRET] = "text",
		[CONFIG_TASK] = "name",
		[CONFIG_SLOT] = "name",
		[CONFIG_TABLE] = "table name",
		[CONFIG_COLUMN] = "column name",
		[CONFIG_PATH] = "absolute path",
		[CONFIG_CHOICE] = "word",
		[CONFIG_WORD] = "word",
		[CONFIG_BOOLEAN] = "boolean",
		[CONFIG_INTEGER] = "number",
		[CONFIG_SIZE] = "size",
		[CONFIG_DURATION] = "duration",
		[CONFIG_RATE] = "rate",
		[CONFIG_WORDS] = "list of words",
		[CONFIG_PATTERNS] = "list of patterns",
		[CONFIG_COLUMNS] = "list of column names",
	};

	return names[kind];
}
