/*
 * The configuration file: one YAML document, read once and strictly.
 *
 * An unknown key, a duplicate key, a missing required key, a value of the wrong kind or out of range is an
 * ERROR_CONFIG that names file, line and column. Keys that this version knows but does not support are
 * refused in the same way, never ignored.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "error.h"
#include "log.h"

enum operation {
	OPERATION_INSERT = 1 << 0,
	OPERATION_UPDATE = 1 << 1,
	OPERATION_DELETE = 1 << 2,
	OPERATION_TRUNCATE = 1 << 3,
	OPERATION_ALL = 15,
};

enum compression { COMPRESSION_NONE, COMPRESSION_LZ4 };
enum copy_mode { COPY_MODE_FULL, COPY_MODE_NONE };
enum copy_existing { COPY_EXISTING_ERROR, COPY_EXISTING_CLEAR, COPY_EXISTING_APPEND };
enum schema_changes { SCHEMA_CHANGES_FOLLOW, SCHEMA_CHANGES_STOP, SCHEMA_CHANGES_IGNORE };
enum schema_indexes { SCHEMA_INDEXES_NONE, SCHEMA_INDEXES_UNIQUE, SCHEMA_INDEXES_ALL };
enum schema_partitions { SCHEMA_PARTITIONS_FLATTEN, SCHEMA_PARTITIONS_KEEP };
enum table_storage {
	TABLE_STORAGE_DEFAULT,
	TABLE_STORAGE_HEAP,
	TABLE_STORAGE_AO_ROW,
	TABLE_STORAGE_AO_COLUMN,
	TABLE_STORAGE_BEAM,
	TABLE_STORAGE_PAX
};

struct string_list {
	char **items;
	unsigned count;
};

struct column_rename {
	char *from;
	char *to;
};

/* What happens to a table whose target refuses a change. */
enum refused_action { REFUSED_STOP, REFUSED_HOLD };

/* Whether targets are vacuumed if the server does not do it by itself. */
enum apply_vacuum { VACUUM_AUTO, VACUUM_OFF };

/*
 * One entry of tables.overrides; absent keys are NULL, empty or 0. Names of tables are as the user wrote
 * them, quoted as in SQL if needed. Names of columns are plain, already folded or unquoted.
 */
struct table_override {
	char *source; /* schema.table */
	char *target;
	struct string_list columns;
	struct column_rename *rename;
	unsigned rename_count;
	struct string_list key;
	char *where;
	unsigned operations; /* enum operation bits; 0: the global ones */
	struct string_list distributed_by;
	enum table_storage storage;
	unsigned fillfactor; /* of created heap tables, in percent; 0: as dialect_fillfactor() says */
	bool rows_may_be_absent;
};

/* The place of a value in the file; line and column are counted from 1. */
struct config_place {
	size_t line;
	size_t column;
};

struct config {
	char *task;
	struct {
		char *conninfo;
		struct config_place conninfo_place;
		char *slot; /* "sluice_<task>" by default */
		bool failover;
		enum compression compression; /* of the stream */
	} source;
	struct {
		char *conninfo;
		struct config_place conninfo_place;
		char *dialect; /* "auto" by default */
	} destination;
	struct {
		struct string_list include;
		struct string_list exclude;
		struct table_override *overrides;
		unsigned override_count;
	} tables;
	unsigned operations; /* enum operation bits */
	struct {
		enum copy_mode mode;
		enum copy_existing existing;
		unsigned jobs;
		int64_t part_bytes; /* tables larger than this are copied in parts */
		int64_t rate_bytes; /* per second, over all connections; 0: unlimited */
	} initial_copy;
	struct {
		bool create;
		enum schema_indexes indexes;
		enum schema_partitions partitions;
		enum schema_changes changes;
	} schema;
	struct {
		int64_t max_delay_ms;
		int64_t max_bytes;
		int64_t memory_bytes;
		int64_t rate_bytes; /* received per second; 0: unlimited */
		char *spill_directory;
		enum refused_action refused;
		enum apply_vacuum vacuum;
	} apply;
	int64_t retry_duration_ms;
	struct {
		int64_t heartbeat_ms;
		int64_t warn_bytes;
	} wal;
	struct config_place http_listen_place;
	char *http_listen; /* NULL: no HTTP server */
	enum log_level log_level;
	enum log_format log_format;

	struct arena memory; /* owner of all memory that the pointers above point to */
};

/*
 * Reads and checks the file. Frees everything on failure. Messages never show a conninfo, or text that
 * might be a misplaced one.
 */
MUST_CHECK bool config_load(const char *path, struct config *config, struct error *err);

/* The same from memory; errors call the text `name`. */
MUST_CHECK bool config_parse(const char *text, size_t len, const char *name, struct config *config,
							 struct error *err);

void config_free(struct config *config);

#endif
