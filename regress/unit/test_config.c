#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/config_change.h"
#include "base/config_schema.h"
#include "base/config_value.h"
#include "base/nearest.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* What is required, in lines 1 to 4; tests add the rest. */
#define MINIMAL                                                                                              \
	"task: orders\n"                                                                                         \
	"source: {conninfo: 'host=pg1 password=secret'}\n"                                                       \
	"destination: {conninfo: host=gp1}\n"                                                                    \
	"tables: {include: [public.*]}\n"

/* The same, but for tables: overrides can follow. */
#define OVERRIDES                                                                                            \
	"task: orders\n"                                                                                         \
	"source: {conninfo: a}\n"                                                                                \
	"destination: {conninfo: b}\n"                                                                           \
	"tables:\n"                                                                                              \
	"  include: [public.*]\n"                                                                                \
	"  overrides:\n"

static void
load(const char *text, struct config *config)
{
	struct error err;

	if (!config_parse(text, strlen(text), "c.yaml", config, &err))
		fail_msg("refused: %s", err.message);
}

/* The sentence that the user sees for a configuration that is refused. */
static const char *
refusal(const char *text, size_t len)
{
	static char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct config config;
	struct error err;

	if (config_parse(text, len, "c.yaml", &config, &err)) {
		config_free(&config);
		fail_msg("accepted: %s", text);
	}
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_null(config.memory.chunks);
	error_sentence(&err, sentence, sizeof(sentence));
	return sentence;
}

struct refused {
	const char *text;
	const char *sentence;
};

static void
check_refused(const struct refused *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(refusal(cases[i].text, strlen(cases[i].text)), cases[i].sentence);
}

static void
test_defaults(void **state)
{
	struct config c;

	(void) state;
	load(MINIMAL, &c);
	assert_string_equal(c.task, "orders");
	assert_string_equal(c.source.conninfo, "host=pg1 password=secret");
	assert_string_equal(c.source.slot, "sluice_orders");
	assert_false(c.source.failover);
	assert_int_equal(c.source.compression, COMPRESSION_NONE);
	assert_string_equal(c.destination.conninfo, "host=gp1");
	assert_string_equal(c.destination.dialect, "auto");
	assert_int_equal(c.tables.include.count, 1);
	assert_string_equal(c.tables.include.items[0], "public.*");
	assert_int_equal(c.tables.exclude.count, 0);
	assert_int_equal(c.tables.override_count, 0);
	assert_int_equal(c.operations, OPERATION_ALL);
	assert_int_equal(c.initial_copy.mode, COPY_MODE_FULL);
	assert_int_equal(c.initial_copy.existing, COPY_EXISTING_ERROR);
	assert_int_equal(c.initial_copy.jobs, 4);
	assert_true(c.schema.create);
	assert_int_equal(c.schema.changes, SCHEMA_CHANGES_FOLLOW);
	assert_int_equal(c.apply.max_delay_ms, 1000);
	assert_int_equal(c.apply.max_bytes, 64 << 20);
	assert_int_equal(c.apply.memory_bytes, 256 << 20);
	assert_string_equal(c.apply.spill_directory, "/var/lib/sluice");
	assert_int_equal(c.retry_duration_ms, 12 * 3600 * 1000);
	assert_int_equal(c.wal.heartbeat_ms, 10 * 1000);
	assert_true(c.wal.warn_bytes == INT64_C(10) << 30);
	assert_null(c.http_listen);
	assert_int_equal(c.log_level, LOG_INFO);
	assert_int_equal(c.log_format, LOG_TEXT);
	config_free(&c);
	assert_null(c.task);
}

static void
test_everything_given(void **state)
{
	struct config c;

	(void) state;
	load("task: 'a_1'\n"
		 "source:\n"
		 "  conninfo: \"host=pg1\"\n"
		 "  slot: my_slot\n"
		 "  failover: true\n"
		 "  compression: lz4\n"
		 "destination:\n"
		 "  conninfo: host=gp1\n"
		 "  dialect: greenplum6\n"
		 "tables:\n"
		 "  include: [\"public.*\", 'sales.orders']\n"
		 "  exclude:\n"
		 "    - public.tmp_*\n"
		 "  overrides: []\n"
		 "operations: [delete, insert]\n"
		 "initial_copy: {mode: none, existing: clear, jobs: '64'}\n"
		 "schema: {create: false, changes: stop}\n"
		 "apply: {max_delay: 0, max_bytes: 65536, memory: 16 MB, spill_directory: /tmp}\n"
		 "retry: {duration: 2d}\n"
		 "wal: {heartbeat: 250ms, warn: 2048kB}\n"
		 "log: {level: debug, format: json}\n",
		 &c);
	assert_string_equal(c.task, "a_1");
	assert_string_equal(c.source.slot, "my_slot");
	assert_int_equal(c.source.compression, COMPRESSION_LZ4);
	assert_string_equal(c.destination.dialect, "greenplum6");
	assert_int_equal(c.tables.include.count, 2);
	assert_string_equal(c.tables.include.items[1], "sales.orders");
	assert_int_equal(c.tables.exclude.count, 1);
	assert_string_equal(c.tables.exclude.items[0], "public.tmp_*");
	assert_int_equal(c.tables.override_count, 0);
	assert_int_equal(c.operations, OPERATION_INSERT | OPERATION_DELETE);
	assert_int_equal(c.initial_copy.mode, COPY_MODE_NONE);
	assert_int_equal(c.initial_copy.existing, COPY_EXISTING_CLEAR);
	assert_int_equal(c.initial_copy.jobs, 64);
	assert_false(c.schema.create);
	assert_int_equal(c.apply.max_delay_ms, 0);
	assert_int_equal(c.apply.max_bytes, 65536);
	assert_int_equal(c.apply.memory_bytes, 16 << 20);
	assert_string_equal(c.apply.spill_directory, "/tmp");
	assert_int_equal(c.retry_duration_ms, 2 * 24 * 3600 * 1000);
	assert_int_equal(c.wal.heartbeat_ms, 250);
	assert_int_equal(c.wal.warn_bytes, 2 << 20);
	assert_int_equal(c.log_level, LOG_DEBUG);
	assert_int_equal(c.log_format, LOG_JSON);
	config_free(&c);
}

static void
test_overrides(void **state)
{
	const struct table_override *o;
	struct config c;

	(void) state;
	load(OVERRIDES "    - source: public.orders\n"
				   "      target: '\"DW\".\"Ods \"\"x\"\" Orders\"'\n"
				   "      key: [Id, '\"Order \"\"No\"\"\"']\n"
				   "      distributed_by: [id]\n"
				   "      storage: ao_column\n"
				   "      fillfactor: 70\n"
				   "    - {source: public.lines}\n",
		 &c);
	assert_int_equal(c.tables.override_count, 2);
	o = c.tables.overrides;
	assert_string_equal(o[0].source, "public.orders");
	assert_string_equal(o[0].target, "\"DW\".\"Ods \"\"x\"\" Orders\"");
	assert_int_equal(o[0].key.count, 2);
	assert_string_equal(o[0].key.items[0], "id");
	assert_string_equal(o[0].key.items[1], "Order \"No\"");
	assert_int_equal(o[0].distributed_by.count, 1);
	assert_int_equal(o[0].storage, TABLE_STORAGE_AO_COLUMN);
	assert_int_equal(o[0].fillfactor, 70);
	assert_int_equal(o[0].operations, 0);
	assert_int_equal(o[1].fillfactor, 0);
	assert_string_equal(o[1].source, "public.lines");
	assert_null(o[1].target);
	assert_int_equal(o[1].key.count, 0);
	assert_int_equal(o[1].storage, TABLE_STORAGE_DEFAULT);
	config_free(&c);
}

static void
test_aliases(void **state)
{
	struct config c;

	(void) state;
	load("task: &name orders\nsource: &server {conninfo: a}\ndestination: *server\n"
		 "tables: {include: [a.b]}\n",
		 &c);
	assert_string_equal(c.destination.conninfo, "a");
	config_free(&c);
}

static void
test_batch_follows_memory(void **state)
{
	struct config c;

	(void) state;
	load(MINIMAL "apply: {memory: 16MB}\n", &c);
	assert_int_equal(c.apply.max_bytes, 4 << 20);
	config_free(&c);
	load(MINIMAL "apply: {memory: 64MB, max_bytes: 64MB}\n", &c);
	assert_int_equal(c.apply.max_bytes, 64 << 20);
	config_free(&c);
}

static void
test_wrong_keys(void **state)
{
	static const struct refused cases[] = {
		{MINIMAL "tabels: {}\n", "c.yaml:5:1: unknown key \"tabels\"; did you mean \"tables\"?"},
		{MINIMAL "nonsense: 1\n",
		 "c.yaml:5:1: unknown key \"nonsense\"; allowed here: task, source, destination, "
		 "tables, operations, initial_copy, schema, apply, retry, wal, http, log."},
		{MINIMAL "log:\n  levle: info\n", "c.yaml:6:3: unknown key \"log.levle\"; did you mean \"level\"?"},
		{MINIMAL "log: {colour: red}\n",
		 "c.yaml:5:7: unknown key \"log.colour\"; allowed here: level, format."},
		{OVERRIDES "    - source: a.b\n      sources: c.d\n",
		 "c.yaml:8:7: unknown key \"tables.overrides[].sources\"; did you mean \"source\"?"},
		{MINIMAL "log.level: info\n",
		 "c.yaml:5:1: unknown key \"log.level\"; allowed here: task, source, "
		 "destination, tables, operations, initial_copy, schema, apply, retry, wal, "
		 "http, log."},
		{MINIMAL "<<: {}\n",
		 "c.yaml:5:1: unknown key; allowed here: task, source, destination, tables, operations, "
		 "initial_copy, schema, apply, retry, wal, http, log."},
		{MINIMAL "task: other\n", "c.yaml:5:1: duplicate key \"task\", first given in line 1"},
		{MINIMAL "log:\n  level: info\n  level: info\n",
		 "c.yaml:7:3: duplicate key \"log.level\", first given in line 6"},
		{MINIMAL "? [a]\n: b\n", "c.yaml:5:3: a key must be a plain word"},
		{"source: {conninfo: a}\n", "c.yaml:1:1: missing key \"task\""},
		{"# nothing\n\ntask: a\n", "c.yaml:3:1: missing key \"source.conninfo\""},
		{"task: a\ndestination: {conninfo: a}\nsource:\n  slot: x\n",
		 "c.yaml:4:3: missing key \"source.conninfo\""},
		{"task: a\nsource: {conninfo: a}\ndestination: {conninfo: a}\n",
		 "c.yaml:1:1: missing key \"tables.include\""},
		{OVERRIDES "    - target: a.b\n", "c.yaml:7:7: missing key \"tables.overrides[].source\""},
	};

	(void) state;
	check_refused(cases, LENGTH(cases));
}

static void
test_wrong_kinds(void **state)
{
	static const struct refused cases[] = {
		{"", "c.yaml:1:1: the configuration is empty"},
		{"# only a comment\n", "c.yaml:1:1: the configuration is empty"},
		{"- task\n", "c.yaml:1:1: the configuration must be a mapping of keys to values"},
		{"task\n", "c.yaml:1:1: the configuration must be a mapping of keys to values"},
		{"task: [a]\n", "c.yaml:1:7: \"task\" must be a single value, not a list"},
		{"task: {a: b}\n", "c.yaml:1:7: \"task\" must be a single value, not a mapping of keys to values"},
		{"task:\n", "c.yaml:1:6: \"task\" has no value, it must be a single value"},
		{"task: ~\n", "c.yaml:1:7: \"task\" has no value, it must be a single value"},
		{"task: null\n", "c.yaml:1:7: \"task\" has no value, it must be a single value"},
		{"task: !!int 5\n", "c.yaml:1:7: \"task\" has a tag, which has no meaning here"},
		{"task: a\nsource: host=pg1 password=secret\n",
		 "c.yaml:2:9: \"source\" must be a mapping of keys to values, not a single value"},
		{"source:\n", "c.yaml:1:8: \"source\" has no value, it must be a mapping of keys to values"},
		{"tables: {include: public.*}\n",
		 "c.yaml:1:19: \"tables.include\" must be a list, not a single value"},
		{"tables: {include: [[a.b]]}\n",
		 "c.yaml:1:20: \"tables.include\" must be a single value, not a list"},
		{"tables: {include: []}\n", "c.yaml:1:19: \"tables.include\" must have at least 1 item"},
		{"tables: {overrides: [a.b]}\n",
		 "c.yaml:1:22: \"tables.overrides\" must be a mapping of keys to values, not a single value"},
		{"task: \"a\\0b\"\n", "c.yaml:1:7: \"task\" must not contain a zero byte"},
		{MINIMAL "---\ntask: b\n", "c.yaml:6:1: there must be only one document in the file"},
	};

	(void) state;
	check_refused(cases, LENGTH(cases));
}

#define CLOSE_IT "; close it there; a quote within the value is doubled ('') or escaped (\\\")."
#define QUOTE_IT "; write \"*.*\" for all tables; without quotes YAML takes * for an alias."

static void
test_wrong_syntax(void **state)
{
	static const struct refused cases[] = {
		{"task: \"a\n", "c.yaml:1:7: the quote that begins here does not end in its line" CLOSE_IT},
		{"task: 'a\nx: b\n", "c.yaml:1:7: the quote that begins here does not end in its line" CLOSE_IT},
		{"source:\n  conninfo: \"host=a\ndestination:\n  conninfo: \"x\"\n",
		 "c.yaml:2:13: the quote that begins here does not end in its line" CLOSE_IT},
		{"tables:\n  include: [*.x]\n", "c.yaml:2:13: a value that begins with * must be in quotes" QUOTE_IT},
		{"tables:\n  include:\n    - *\n",
		 "c.yaml:3:7: a value that begins with * must be in quotes" QUOTE_IT},
		{"task: a\n  b: c\n", "c.yaml:2:4: mapping values are not allowed in this context"},
		{"log:\n\tlevel: info\n", "c.yaml:2:1: a tab where YAML allows only blanks; indent with blanks."},
		{"task: a\n\xFF\n", "c.yaml:2:1: invalid leading UTF-8 octet"},
		{"task: *a\n", "c.yaml:1:7: found undefined alias"},
		{MINIMAL "---\n\"", "c.yaml:6:1: the quote that begins here does not end in its line" CLOSE_IT},
	};

	(void) state;
	check_refused(cases, LENGTH(cases));
}

static void
test_wrong_values(void **state)
{
	static const struct refused cases[] = {
		{"task: Orders\n",
		 "c.yaml:1:7: \"task\" must be 1 to 40 lower case letters, digits and underscores, not \"Orders\""},
		{"task: ''\n", "c.yaml:1:7: \"task\" must be 1 to 40 lower case letters, digits and underscores"},
		{"task: a12345678901234567890123456789012345678901\n",
		 "c.yaml:1:7: \"task\" must be 1 to 40 lower case letters, digits and underscores"},
		{"source: {conninfo: ''}\n", "c.yaml:1:20: \"source.conninfo\" must not be empty"},
		{"source: {slot: my-slot}\n",
		 "c.yaml:1:16: \"source.slot\" must be 1 to 63 lower case letters, digits and "
		 "underscores, not \"my-slot\""},
		{"destination: {dialect: oracle}\n",
		 "c.yaml:1:24: \"destination.dialect\" must be auto, postgresql, greenplum6, greenplum7, cloudberry, "
		 "adbpg6 or adbpg7, not \"oracle\""},
		{"schema: {create: yes}\n", "c.yaml:1:18: \"schema.create\" must be false or true, not \"yes\""},
		{"log: {level: INFO}\n",
		 "c.yaml:1:14: \"log.level\" must be debug, info, warning or error, not \"INFO\""},
		{"initial_copy: {jobs: 0}\n",
		 "c.yaml:1:22: \"initial_copy.jobs\" must be between 1 and 64, not \"0\""},
		{"initial_copy: {jobs: 65}\n",
		 "c.yaml:1:22: \"initial_copy.jobs\" must be between 1 and 64, not \"65\""},
		{"initial_copy: {jobs: -1}\n", "c.yaml:1:22: \"initial_copy.jobs\" must be a number, not \"-1\""},
		{"initial_copy: {jobs: 4.5}\n", "c.yaml:1:22: \"initial_copy.jobs\" must be a number, not \"4.5\""},
		{"apply: {max_delay: 5}\n",
		 "c.yaml:1:20: \"apply.max_delay\" must be a duration such as 10s, in ms, s, min, "
		 "h or d, not \"5\""},
		{"apply: {rate: 50MB}\n", "c.yaml:1:15: \"apply.rate\" must be a rate such as 50MB/s, in B/s, kB/s, "
								  "MB/s or GB/s, or unlimited, "
								  "not \"50MB\""},
		{"initial_copy: {rate: 1B/s}\n",
		 "c.yaml:1:22: \"initial_copy.rate\" must be between 1kB/s and 1024GB/s"},
		{"apply: {max_delay: 3601s}\n",
		 "c.yaml:1:20: \"apply.max_delay\" must be between 0 and 1h, not \"3601s\""},
		{"apply: {max_bytes: 64mb}\n",
		 "c.yaml:1:20: \"apply.max_bytes\" must be a size such as 64MB, in B, kB, MB or GB, not \"64mb\""},
		{"apply: {max_bytes: 63kB}\n",
		 "c.yaml:1:20: \"apply.max_bytes\" must be between 64kB and 8GB, not \"63kB\""},
		{"apply: {max_bytes: 9GB}\n",
		 "c.yaml:1:20: \"apply.max_bytes\" must be between 64kB and 8GB, not \"9GB\""},
		{"apply: {memory: 99999999999GB}\n", "c.yaml:1:17: \"apply.memory\" must be a size such as 64MB, in "
											 "B, kB, MB or GB, not \"99999999999GB\""},
		{MINIMAL "apply: {memory: 16MB, max_bytes: 17MB}\n",
		 "c.yaml:5:34: \"apply.max_bytes\" must not be larger than \"apply.memory\""},
		{"apply: {spill_directory: tmp}\n",
		 "c.yaml:1:26: \"apply.spill_directory\" must be an absolute path, not \"tmp\""},
		{"operations: [insert, select]\n",
		 "c.yaml:1:22: \"operations\" must be insert, update, delete or truncate, not \"select\""},
		{"operations: [insert, insert]\n", "c.yaml:1:22: \"operations\" names the same twice"},
		{"operations: []\n", "c.yaml:1:13: \"operations\" must have at least 1 item"},
		{"tables: {include: [a.b, a.b]}\n", "c.yaml:1:25: \"tables.include\" names the same twice"},
	};

	(void) state;
	check_refused(cases, LENGTH(cases));
}

static void
test_wrong_names(void **state)
{
	static const struct refused cases[] = {
		{OVERRIDES "    - source: public.*\n",
		 "c.yaml:7:15: \"tables.overrides[].source\" must name one table, without wildcards"},
		{OVERRIDES "    - {source: a.b, key: []}\n",
		 "c.yaml:7:26: \"tables.overrides[].key\" must have at least 1 item"},
		{OVERRIDES "    - {source: a.b, key: [order id]}\n",
		 "c.yaml:7:27: \"tables.overrides[].key\" must be a column name, in double quotes where SQL needs "
		 "them, not "
		 "\"order id\""},
		{OVERRIDES "    - {source: a.b, key: [id, ID]}\n",
		 "c.yaml:7:31: \"tables.overrides[].key\" names the same twice"},
		{OVERRIDES "    - {source: a.b, storage: ao}\n",
		 "c.yaml:7:30: \"tables.overrides[].storage\" must be default, "
		 "heap, ao_row, ao_column, beam or pax, not \"ao\""},
		{OVERRIDES "    - {source: a.b, fillfactor: 5}\n",
		 "c.yaml:7:33: \"tables.overrides[].fillfactor\" must be between 10 and 100, not \"5\""},
		{OVERRIDES "    - source: a.b\n    - source: A.\"b\"\n",
		 "c.yaml:8:15: \"tables.overrides[].source\" names the same table twice"},
	};

	(void) state;
	check_refused(cases, LENGTH(cases));
	assert_non_null(strstr(refusal("tables: {include: [orders]}", 27),
						   "c.yaml:1:20: \"tables.include\" is no table name: "));
}

/* A conninfo must not appear in a message, wherever the user put it. */
static void
test_secrets_are_never_shown(void **state)
{
	static const char *const texts[] = {
		"source: {conninfo: [host=a password=secret]}\n",
		"source: {conninfo: {host=a password=secret: b}}\n",
		"source: {host=a password=secret}\n",
		"source: {'postgresql://u:secret@h/d': a}\n",
		"source: {? {password=secret: x} : a}\n",
		"source: host=a password=secret\n",
		"host=a password=secret\n",
		"host=a password=secret:\n",
		"task: host=a password=secret\n",
		"task: postgresql://u:secret@h/d\n",
		"source: {slot: 'host=a password=secret'}\n",
		"destination: {dialect: 'host=a password=secret'}\n",
		"tables: {include: ['host=a password=secret']}\n",
		"tables: {overrides: [{source: 'host=a password=secret'}]}\n",
		"tables: {overrides: [{source: a.b, key: ['host=a password=secret']}]}\n",
		"wal: {warn: 'host=a password=secret'}\n",
		"source: {conninfo: \"host=a password=secret}\n",
		"source: {conninfo: !secret host=a}\n",
		"source: {conninfo: &secret a, slot: &secret B}\n",
		"source: {conninfo: \"password=secret \\q\"}\n",
	};

	(void) state;
	for (size_t i = 0; i < LENGTH(texts); i++)
		if (strstr(refusal(texts[i], strlen(texts[i])), "secret"))
			fail_msg("shown: %s", texts[i]);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/sluice_config_XXXXXX";
	int fd = mkstemp(path);
	char expected[100];
	struct config c;
	struct error err;

	(void) state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, MINIMAL, strlen(MINIMAL)), strlen(MINIMAL));
	assert_true(config_load(path, &c, &err));
	assert_string_equal(c.task, "orders");
	config_free(&c);

	assert_int_equal(write(fd, "x: 1", 4), 4);
	assert_false(config_load(path, &c, &err));
	snprintf(expected, sizeof(expected), "%s:5:1: unknown key \"x\"", path);
	assert_string_equal(err.message, expected);

	assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
	assert_false(config_load(path, &c, &err));
	assert_non_null(strstr(err.message, "is larger than 1 MB"));
	close(fd);
	unlink(path);

	assert_false(config_load(path, &c, &err));
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_non_null(strstr(err.message, "could not open configuration file \"/tmp/sluice_config_"));
	assert_false(config_load("/", &c, &err));
	assert_non_null(strstr(err.message, "could not read configuration file \"/\""));
}

static void
test_notations(void **state)
{
	char name[40];
	int64_t value;

	(void) state;
	assert_true(config_value_size("0", &value) && value == 0);
	assert_true(config_value_size("7B", &value) && value == 7);
	assert_true(config_value_size("3kB", &value) && value == 3072);
	assert_true(config_value_size("2 GB", &value) && value == INT64_C(2) << 30);
	assert_true(config_value_size("9223372036854775807", &value) && value == INT64_MAX);
	assert_false(config_value_size("9223372036854775808", &value));
	assert_false(config_value_size("9223372036854775807kB", &value));
	assert_false(config_value_size("", &value));
	assert_false(config_value_size("MB", &value));
	assert_false(config_value_size("1TB", &value));
	assert_false(config_value_size("1MB ", &value));
	assert_true(config_value_duration("0", &value) && value == 0);
	assert_true(config_value_duration("1min", &value) && value == 60000);
	assert_true(config_value_duration("3d", &value) && value == INT64_C(3) * 86400000);
	assert_false(config_value_duration("1", &value));
	assert_false(config_value_duration("1m", &value));
	assert_true(config_value_rate("unlimited", &value) && value == 0);
	assert_true(config_value_rate("50MB/s", &value) && value == 50 << 20);
	assert_false(config_value_rate("50MB", &value));
	assert_false(config_value_rate("0MB/s", &value));
	assert_false(config_value_rate("/s", &value));
	assert_false(config_value_rate("1MB/min", &value));
	assert_true(config_value_identifier("Order_1$", name));
	assert_string_equal(name, "order_1$");
	assert_true(config_value_identifier("\"a b\"\"\"", name));
	assert_string_equal(name, "a b\"");
	assert_false(config_value_identifier("", name));
	assert_false(config_value_identifier("1a", name));
	assert_false(config_value_identifier("\"\"", name));
	assert_false(config_value_identifier("\"a", name));
	assert_false(config_value_identifier("\"a\"b", name));
	assert_false(config_value_identifier("a\"b", name));
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_int_equal(nearest_distance("tabels", "tables"), 2);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
}

/* What stands around the last name of a path: "a.b[].c" is in "a.b". */
static void
check_parent(const char *path)
{
	const char *dot = strrchr(path, '.');
	int len = dot ? (int) (dot - path) : 0;

	if (!dot)
		return;
	if (dot[-1] == ']')
		len -= 2;
	for (unsigned i = 0; i < config_schema_count; i++)
		if ((int) strlen(config_schema[i].path) == len &&
			strncmp(config_schema[i].path, path, (size_t) len) == 0)
			return;
	fail_msg("%s stands in no section", path);
}

/* Mistakes in the table that no configuration of these tests would show. */
static void
test_schema_is_sound(void **state)
{
	char word[CONFIG_WORD_MAX];

	(void) state;
	for (unsigned i = 0; i < config_schema_count; i++) {
		const struct config_option *option = &config_schema[i];
		const char *refused = option->refused;

		check_parent(option->path);
		while (refused && strcmp(refused, "*") != 0 && config_value_next_word(&refused, word))
			assert_true(config_value_word(option->words, word) >= 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(option->path, config_schema[j].path);
	}
}

/*
 * What a reload means
 */

static void
check_change(const char *before, const char *after, bool needs_new_attempt)
{
	struct config a, b;

	load(before, &a);
	load(after, &b);
	if (config_needs_new_attempt(&a, &b) != needs_new_attempt)
		fail_msg("%s\n -> %s", before, after);
	config_free(&a);
	config_free(&b);
}

static void
test_changes(void **state)
{
	(void) state;
	check_change(MINIMAL, MINIMAL, false);
	check_change(MINIMAL, MINIMAL "log: {level: debug, format: json}\n", false);
	check_change(MINIMAL, MINIMAL "initial_copy: {rate: 1MB/s}\napply: {rate: 20kB/s}\n", false);
	check_change(MINIMAL, MINIMAL "initial_copy: {jobs: 5}\n", true);
	check_change(MINIMAL, MINIMAL "schema: {create: false}\n", true);
	check_change(MINIMAL, MINIMAL "operations: [insert]\n", true);
	check_change(MINIMAL, MINIMAL "http: {listen: '127.0.0.1:1'}\n", true);
	check_change(MINIMAL "http: {listen: '127.0.0.1:1'}\n", MINIMAL "http: {listen: '127.0.0.1:2'}\n", true);
	check_change(OVERRIDES "  - {source: a.b}\n", OVERRIDES "  - {source: a.b}\n", false);
	check_change(OVERRIDES "  - {source: a.b}\n", OVERRIDES "  - {source: a.c}\n", true);
	check_change(OVERRIDES "  - {source: a.b}\n", OVERRIDES "  - {source: a.b}\n  - {source: a.c}\n", true);
	check_change(OVERRIDES "  - {source: a.b, key: [x]}\n", OVERRIDES "  - {source: a.b, key: [y]}\n", true);
	check_change(OVERRIDES "  - {source: a.b, rename: [{from: x, to: y}]}\n",
				 OVERRIDES "  - {source: a.b, rename: [{from: x, to: z}]}\n", true);
}

static void
test_what_changes_at_once(void **state)
{
	struct config config, next;

	(void) state;
	load(MINIMAL, &config);
	assert_int_equal(config.apply.rate_bytes, 0);
	load(MINIMAL "log: {level: debug, format: json}\napply: {rate: 20kB/s, max_bytes: 1MB}\n", &next);
	config_take_at_once(&config, &next);
	assert_int_equal(config.apply.rate_bytes, 20 * 1024);
	assert_int_equal(config.log_level, LOG_DEBUG);
	assert_int_equal(config.log_format, LOG_JSON);
	assert_int_not_equal(config.apply.max_bytes, 1024 * 1024);
	config_free(&config);
	config_free(&next);
}

/* Nothing that is taken over may point to the configuration that it came from; and docs/operations.md has the list. */
static void
test_keys_that_change_at_once(void **state)
{
	char *text = calloc(1, 1 << 18);
	FILE *file = fopen("docs/operations.md", "r");
	const char *end, *section;

	(void) state;
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	section = strstr(text, "\n## reload\n");
	assert_non_null(section);
	end = strstr(section, "change at once");
	assert_non_null(end);
	for (unsigned i = 0; i < config_schema_count; i++) {
		const struct config_option *option = &config_schema[i];
		char quoted[100];
		const char *at;

		if (!option->at_once)
			continue;
		assert_true(option->kind == CONFIG_WORD || option->kind == CONFIG_SIZE ||
					option->kind == CONFIG_DURATION || option->kind == CONFIG_RATE);
		snprintf(quoted, sizeof quoted, "`%s`", option->path);
		at = strstr(section, quoted);
		if (!at || at > end)
			fail_msg("docs/operations.md does not say that %s changes at once", option->path);
	}
	free(text);
}

/*
 * docs/configuration.md
 */

static char *
read_documentation(void)
{
	FILE *file = fopen("docs/configuration.md", "r");
	char *text = calloc(1, 1 << 17);

	assert_non_null(text);
	if (!file)
		fail_msg("docs/configuration.md is not there: run this from the top of the source");
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
	fclose(file);
	return text;
}

/* Copies the table row of a key. */
static void
find_row(const char *documentation, const char *path, char *row, size_t row_bytes)
{
	char start[100];
	const char *at;

	snprintf(start, sizeof(start), "\n| `%s` |", path);
	at = strstr(documentation, start);
	if (!at)
		fail_msg("docs/configuration.md lacks the key %s", path);
	snprintf(row, row_bytes, "%.*s", (int) strcspn(at + 1, "\n"), at + 1);
}

static void
expect_in_row(const char *row, const char *path, const char *expected)
{
	if (!strstr(row, expected))
		fail_msg("docs/configuration.md does not say \"%s\" about %s: %s", expected, path, row);
}

static void
check_row_of_words(const struct config_option *option, const char *row)
{
	char word[CONFIG_WORD_MAX], expected[CONFIG_WORD_MAX + 2];
	const char *words = option->words;

	while (words && config_value_next_word(&words, word)) {
		snprintf(expected, sizeof(expected), "`%s`", word);
		expect_in_row(row, option->path, expected);
	}
}

/* The default as the documentation writes it: a list has brackets and commas. */
static void
write_default(const struct config_option *option, char *out, size_t out_bytes)
{
	const char *words = option->preset;
	char word[CONFIG_WORD_MAX];
	size_t len;

	if (option->kind != CONFIG_WORDS) {
		snprintf(out, out_bytes, "| `%s`", option->preset);
		return;
	}
	len = (size_t) snprintf(out, out_bytes, "| `[");
	for (const char *comma = ""; config_value_next_word(&words, word); comma = ", ")
		len += (size_t) snprintf(out + len, out_bytes - len, "%s%s", comma, word);
	snprintf(out + len, out_bytes - len, "]` |");
}

static void
check_row(const struct config_option *option, const char *row)
{
	char expected[200];

	snprintf(expected, sizeof(expected), "` | %s |", config_kind_name(option->kind));
	expect_in_row(row, option->path, expected);
	if (option->required)
		expect_in_row(row, option->path, "| required |");
	if (option->preset) {
		write_default(option, expected, sizeof(expected));
		expect_in_row(row, option->path, expected);
	}
	if (option->min && option->max) {
		snprintf(expected, sizeof(expected), "| `%s` to `%s` |", option->min, option->max);
		expect_in_row(row, option->path, expected);
	}
	check_row_of_words(option, row);
	if (option->refused)
		expect_in_row(row, option->path, "ot supported yet.*");
	else if (!strstr(option->path, "rename[]"))
		assert_null(strstr(row, "ot supported yet"));
}

static void
test_every_key_is_documented(void **state)
{
	char *documentation = read_documentation();
	char row[2000];
	unsigned rows = 0, keys = 0;

	(void) state;
	for (unsigned i = 0; i < config_schema_count; i++) {
		if (config_schema[i].kind == CONFIG_SECTION)
			continue;
		find_row(documentation, config_schema[i].path, row, sizeof(row));
		check_row(&config_schema[i], row);
		keys++;
	}
	/* And nothing else is. */
	for (const char *at = documentation; (at = strstr(at, "\n| `")); at++)
		rows++;
	assert_int_equal(rows, keys);
	free(documentation);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything_given),
		cmocka_unit_test(test_overrides),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_batch_follows_memory),
		cmocka_unit_test(test_wrong_keys),
		cmocka_unit_test(test_wrong_kinds),
		cmocka_unit_test(test_wrong_syntax),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_wrong_names),
		cmocka_unit_test(test_secrets_are_never_shown),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_notations),
		cmocka_unit_test(test_schema_is_sound),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_what_changes_at_once),
		cmocka_unit_test(test_keys_that_change_at_once),
		cmocka_unit_test(test_every_key_is_documented),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
