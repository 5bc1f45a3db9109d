/* The command line. Parsing and help both use one table of options and one of verbs. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config_value.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/nearest.h"
#include "decode.h"
#include "io/http.h"
#include "lsn.h"
#include "verbs.h"

#define SENTENCE_MAX (ERROR_MESSAGE_MAX + ERROR_HINT_MAX + 16)

enum option_bit {
	OPTION_CONFIG = 1 << 0,
	OPTION_UNTIL = 1 << 1,
	OPTION_JSON = 1 << 2,
	OPTION_WATCH = 1 << 3,
	OPTION_FORCE = 1 << 4,
	OPTION_HELP = 1 << 5,
	OPTION_CREATE = 1 << 6,
	OPTION_LIMIT = 1 << 7,
	OPTION_IGNORE = 1 << 8,
	OPTION_CHECK = 1 << 9,
	OPTION_MAX_LAG = 1 << 10,
	OPTION_MAX_RETAINED = 1 << 11,
	OPTION_RECORD = 1 << 12,
	OPTION_STANDBY = 1 << 13,
	ARGUMENTS_TABLES = 1 << 16, /* not an option: the verb takes names of tables */
};

struct option_spec {
	enum option_bit bit;
	const char *name;
	char letter;		  /* 0: none */
	const char *argument; /* NULL: no argument */
	const char *help;
};

/* clang-format off */
static const struct option_spec options[] = {
	{OPTION_CONFIG, "config", 'c', "FILE", "the configuration file"},
	{OPTION_UNTIL, "until", 0, "POSITION", "end once everything up to there is durable at the destination:\n"
		"                          current (the source's position at the start) or an LSN"},
	{OPTION_STANDBY, "standby", 0, NULL, "wait as long as another daemon runs the task, then take over"},
	{OPTION_IGNORE, "ignore", 0, "NAME", "suppress warnings of the named check; may be repeated"},
	{OPTION_JSON, "json", 0, NULL, "one JSON object on one line"},
	{OPTION_WATCH, "watch", 0, NULL, "again and again, until interrupted: status every two seconds, sequences every ten"},
	{OPTION_CHECK, "check", 0, NULL, "one line for a monitoring system; exit status 1 when not all is well"},
	{OPTION_MAX_LAG, "max-lag", 0, "TIME", "with --check: a lag above this is not well, such as 60s"},
	{OPTION_MAX_RETAINED, "max-retained", 0, "SIZE", "with --check: retained WAL above this is not well, such as 10GB"},
	{OPTION_LIMIT, "limit", 0, "N", "show at most so many differing rows a table (100)"},
	{OPTION_RECORD, "record", 0, NULL, "write each table's outcome into sluice.comparisons, for status, page and metrics"},
	{OPTION_FORCE, "force", 0, NULL, "go on when one of the servers cannot be reached"},
	{OPTION_CREATE, "create", 0, NULL, "make sequences that are missing, and the columns' defaults"},
	{OPTION_HELP, "help", 'h', NULL, "show this help"},
};
/* clang-format on */

typedef bool (*verb_function)(struct loop *loop, const struct config *config, const struct command *command,
							  struct error *err);

struct verb {
	const char *name;
	const char *arguments; /* after the verb in the usage line */
	unsigned options;	   /* enum option_bit; --help is always allowed */
	verb_function run; /* NULL: the verb is not about one task, and takes the name of a file or directory */
	bool (*run_alone)(const struct command *command, struct error *err); /* where run is NULL */
	const char *summary;
	const char *details;
};

static bool
verb_run(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	const struct run_options how = {.config_path = command->config_path,
									.until = command->until,
									.ignored = command->ignored,
									.standby = command->standby};

	return session_run(loop, config, &how, err);
}

static bool
verb_decode(const struct command *command, struct error *err)
{
	return decode_run(command->file, err);
}

static const struct verb verbs[] = {
	{"check", "-c FILE [--json]", OPTION_CONFIG | OPTION_IGNORE | OPTION_JSON, verb_check, NULL,
	 "precheck both ends and every table",
	 "Prints one line a check: ok, warning or failed, and why. Changes nothing. Exit status 3 when a check\n"
	 "failed, otherwise 0: a warning is worth a look and does not keep run from starting."},
	{"schema", "-c FILE", OPTION_CONFIG, verb_schema, NULL,
	 "print the destination DDL that run would execute",
	 "Prints what is to be made at the destination: schemas, types, tables, indexes. Changes nothing."},
	{"run", "-c FILE [--until LSN|--standby]", OPTION_CONFIG | OPTION_UNTIL | OPTION_STANDBY | OPTION_IGNORE,
	 verb_run, NULL, "copy what is not copied yet, then follow the source",
	 "Makes the checks of \"sluice check\", then runs in the foreground until it is told to stop; logs to\n"
	 "standard error. SIGTERM or SIGINT finishes the current batch and exits 0; a second one exits at once.\n"
	 "Nothing is lost either way. With --standby it may be started on several hosts with one configuration:\n"
	 "one of them runs the task, and another takes over when that one ends, dies, freezes or is cut off."},
	{"status", "-c FILE [--json|--watch|--check]",
	 OPTION_CONFIG | OPTION_JSON | OPTION_WATCH | OPTION_CHECK | OPTION_MAX_LAG | OPTION_MAX_RETAINED,
	 verb_status, NULL, "show phase, lag and every table",
	 "Works whether or not the daemon runs. With --check all is well while the task copies, streams or is\n"
	 "paused, no table is held, the source is reached, and its retained WAL is below wal.warn; --max-lag "
	 "and\n"
	 "--max-retained narrow that. --watch goes on while a server is away."},
	{"list", "[FOLDER] [--json]", OPTION_JSON, NULL, verb_list, "show all tasks of a directory, a line each",
	 "Reads every configuration NAME.yaml in the directory, /etc/sluice unless another is named, and asks "
	 "for\n"
	 "each task's status, all at once. --json prints one object a line. Exit status 1 when a task fails, "
	 "tries\n"
	 "again or holds a table, or its status is not known."},
	{"sequences", "-c FILE [--create] [--watch]", OPTION_CONFIG | OPTION_CREATE | OPTION_WATCH,
	 verb_sequences, NULL, "set the destination's sequences to where the source's stand",
	 "For a cut-over: sequences are not replicated. Of those that columns of replicated tables own or "
	 "have\n"
	 "in their defaults, sets the destination's to the position of the source's, and prints a line for "
	 "each.\n"
	 "--watch goes on with that, prints what changes, and waits for a server that is away as run does."},
	{"pause", "-c FILE", OPTION_CONFIG, verb_pause, NULL, "let the running daemon stand still",
	 "It applies the transactions that it has begun, then nothing more until resume. Its connections\n"
	 "stay, and the slot holds back WAL meanwhile. Returns once all is durable, and prints the position."},
	{"resume", "-c FILE", OPTION_CONFIG, verb_resume, NULL, "let the daemon go on after a pause",
	 "Ends a pause."},
	{"reload", "-c FILE", OPTION_CONFIG, verb_reload, NULL, "let the daemon read its configuration again",
	 "The new configuration is checked first: where it is wrong, or a check fails, the daemon says so\n"
	 "and goes on with the one it has. Task, slot, both ends and apply.spill_directory need a new start."},
	{"table", "add|remove|resync -c FILE TABLE...", OPTION_CONFIG | ARGUMENTS_TABLES, verb_table, NULL,
	 "change the tables of a task",
	 "add: copy and follow tables that tables.include does not match. remove: follow them no more; their\n"
	 "targets stay as they are. resync: clear their targets and copy them again. The other tables stream on\n"
	 "meanwhile. A running daemon is told, and answers once it has checked that it can be done; where none\n"
	 "runs, the next one does it."},
	{"stop", "-c FILE", OPTION_CONFIG, verb_stop, NULL, "end the running daemon",
	 "As SIGTERM does: the current batch is finished. Returns when the daemon has released the task."},
	{"compare", "-c FILE [TABLE...]",
	 OPTION_CONFIG | OPTION_JSON | OPTION_LIMIT | OPTION_RECORD | ARGUMENTS_TABLES, verb_compare, NULL,
	 "compare source and destination data at one common point",
	 "Reads all rows of both sides as of one position, while everything goes on, and prints a line a table\n"
	 "and the rows that differ: missing (at the destination), extra (there alone), changed. TABLE is a\n"
	 "name or a pattern as in the configuration; none means all. Writes nothing but what --record asks for.\n"
	 "Exit status 4 when\n"
	 "something differs, 1 when a table could not be compared."},
	{"decode", "[FILE]", 0, NULL, verb_decode, "print captured plugin output as text",
	 "Reads what pg_recvlogical wrote with format=binary, from the file or from standard input, and prints\n"
	 "one line a message."},
	{"drop", "-c FILE [--force]", OPTION_CONFIG | OPTION_FORCE, verb_drop, NULL,
	 "remove the slot and this task's state",
	 "Drops the replication slot at the source and the task's rows in the destination's schema sluice, so\n"
	 "that the task can start afresh. The data stays. Refuses while a daemon runs."},
};

#define countof(array) (sizeof(array) / sizeof((array)[0]))

static const char exit_statuses[] = "Exit status: 0 done, 1 the work failed, 2 wrong usage or configuration, "
									"3 a precheck failed,\n4 compare found a difference.\n";

/* ---- help */

static void
print_help(FILE *out)
{
	fprintf(
		out,
		"sluice keeps a Greenplum or PostgreSQL database in step with a PostgreSQL database.\n\nUsage:\n");
	for (size_t i = 0; i < countof(verbs); i++)
		fprintf(out, "  sluice %-9s %-29s  %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
	fprintf(out, "  sluice help [VERB], sluice VERB --help, sluice --version\n\n%s", exit_statuses);
}

static void
print_option(FILE *out, const struct option_spec *option)
{
	char names[40];

	snprintf(names, sizeof names, "%c%c%s--%s%s%s", option->letter ? '-' : ' ',
			 option->letter ? option->letter : ' ', option->letter ? ", " : "  ", option->name,
			 option->argument ? " " : "", option->argument ? option->argument : "");
	fprintf(out, "  %-22s  %s\n", names, option->help);
}

static void
print_verb_help(FILE *out, const struct verb *verb)
{
	fprintf(out, "sluice %s: %s\n\nUsage: sluice %s %s\n\n%s\n\nOptions:\n", verb->name, verb->summary,
			verb->name, verb->arguments, verb->details);
	for (size_t i = 0; i < countof(options); i++)
		if (options[i].bit & (verb->options | OPTION_HELP))
			print_option(out, &options[i]);
	fprintf(out, "\n%s", exit_statuses);
}

/* ---- the command line */

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < countof(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool
parse_until(const char *text, struct until *until, struct error *err)
{
	if (strcmp(text, "current") == 0) {
		until->kind = UNTIL_CURRENT;
		return true;
	}
	until->kind = UNTIL_LSN;
	if (lsn_parse(text, &until->lsn))
		return true;
	return error_set(err, ERROR_CONFIG, "--until takes \"current\" or an LSN such as 16/B374D848, not \"%s\"",
					 text);
}

static bool
parse_limit(const char *text, unsigned *limit, struct error *err)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*limit = (unsigned) value;
	if (*text >= '0' && *text <= '9' && *end == '\0' && value >= 1 && value <= 1000000)
		return true;
	return error_set(err, ERROR_CONFIG, "--limit takes a number from 1 to 1000000, not \"%s\"", text);
}

static bool
parse_max_lag(const char *text, int64_t *ms, struct error *err)
{
	return (config_value_duration(text, ms) && *ms > 0) ||
		   error_set(err, ERROR_CONFIG, "--max-lag takes a time such as 60s, not \"%s\"", text);
}

static bool
parse_max_retained(const char *text, int64_t *bytes, struct error *err)
{
	return (config_value_size(text, bytes) && *bytes > 0) ||
		   error_set(err, ERROR_CONFIG, "--max-retained takes a size such as 10GB, not \"%s\"", text);
}

static bool
take_option(enum option_bit bit, const char *argument, struct command *command, struct error *err)
{
	switch (bit) {
	case OPTION_CONFIG:
		command->config_path = argument;
		return true;
	case OPTION_UNTIL:
		return parse_until(argument, &command->until, err);
	case OPTION_JSON:
		command->json = true;
		return true;
	case OPTION_WATCH:
		command->watch = true;
		return true;
	case OPTION_RECORD:
		command->record = true;
		return true;
	case OPTION_STANDBY:
		command->standby = true;
		return true;
	case OPTION_CHECK:
		command->check = true;
		return true;
	case OPTION_MAX_LAG:
		return parse_max_lag(argument, &command->max_lag_ms, err);
	case OPTION_MAX_RETAINED:
		return parse_max_retained(argument, &command->max_retained_bytes, err);
	case OPTION_FORCE:
		command->force = true;
		return true;
	case OPTION_CREATE:
		command->create = true;
		return true;
	case OPTION_IGNORE:
		return precheck_ignore(&command->ignored, argument, err);
	case OPTION_LIMIT:
		return parse_limit(argument, &command->limit, err);
	case OPTION_HELP:
	case ARGUMENTS_TABLES:
		break;
	}
	return true;
}

/* Adds a hint with the verb, or the option of the verb, that was probably meant. */
static void
suggest_verb(struct error *err, const char *typed)
{
	struct nearest nearest = {.typed = typed};

	for (size_t i = 0; i < countof(verbs); i++)
		nearest_offer(&nearest, verbs[i].name);
	if (nearest.name)
		error_hint(err, "Did you mean \"sluice %s\"?", nearest.name);
}

static void
suggest_option(const struct verb *verb, struct error *err, const char *typed)
{
	struct nearest nearest = {.typed = typed + strspn(typed, "-")};

	for (size_t i = 0; i < countof(options); i++)
		if (options[i].bit & (verb->options | OPTION_HELP))
			nearest_offer(&nearest, options[i].name);
	if (nearest.name)
		error_hint(err, "Did you mean \"--%s\"?", nearest.name);
}

/* Fills getopt's tables with the verb's options. */
static void
list_options(const struct verb *verb, struct option *longs, char *letters)
{
	*letters++ = ':'; /* getopt then prints nothing, and returns ':' for a missing argument instead of '?' */
	for (size_t i = 0; i < countof(options); i++) {
		const struct option_spec *spec = &options[i];

		if (!(spec->bit & (verb->options | OPTION_HELP)))
			continue;
		*longs++ = (struct option){spec->name, spec->argument ? required_argument : no_argument, NULL,
								   (int) spec->bit + 256};
		if (spec->letter) {
			*letters++ = spec->letter;
			if (spec->argument)
				*letters++ = ':';
		}
	}
	*longs = (struct option){0};
	*letters = '\0';
}

static const struct option_spec *
find_option(int found)
{
	for (size_t i = 0; i < countof(options); i++)
		if ((options[i].letter && options[i].letter == found) || (int) options[i].bit + 256 == found)
			return &options[i];
	return NULL;
}

static bool
check_usage(const struct verb *verb, struct command *command, char **rest, struct error *err)
{
	if (!verb->run && *rest)
		command->file = *rest++;
	for (command->tables.items = rest; verb->options & ARGUMENTS_TABLES && *rest; rest++)
		command->tables.count++;
	if ((command->max_lag_ms || command->max_retained_bytes) && !command->check)
		error_set(err, ERROR_CONFIG, "--max-lag and --max-retained belong to --check");
	else if (command->json + command->watch + command->check > 1 && command->check)
		error_set(err, ERROR_CONFIG, "--check is a line of its own, without --json and --watch");
	else if (command->standby && command->until.kind != UNTIL_STOPPED)
		error_set(err, ERROR_CONFIG,
				  "--standby is for a run that goes on until it is stopped, without --until");
	else if (*rest)
		error_set(err, ERROR_CONFIG, "%s does not take the argument \"%s\"", verb->name, *rest);
	else if (verb->options & OPTION_CONFIG && !command->config_path)
		error_set(err, ERROR_CONFIG, "%s needs a configuration file: -c FILE", verb->name);
	else
		return true;
	return false;
}

enum parsed { PARSED_RUN, PARSED_HELP, PARSED_WRONG };

static enum parsed
parse_arguments(const struct verb *verb, int argc, char **argv, struct command *command, struct error *err)
{
	struct option longs[countof(options) + 1];
	char letters[2 * countof(options) + 2];
	int found;

	list_options(verb, longs, letters);
	opterr = 0;
	while ((found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_spec *spec = find_option(found);

		if (!spec) {
			error_set(err, ERROR_CONFIG, "%s: %s \"%s\"", verb->name,
					  found == ':' ? "no argument for" : "unknown or ambiguous option", argv[optind - 1]);
			if (found != ':')
				suggest_option(verb, err, argv[optind - 1]);
			return PARSED_WRONG;
		}
		if (spec->bit == OPTION_HELP)
			return PARSED_HELP;
		if (!take_option(spec->bit, optarg, command, err))
			return PARSED_WRONG;
	}
	return check_usage(verb, command, argv + optind, err) ? PARSED_RUN : PARSED_WRONG;
}

/* ---- running a verb */

static bool
check_conninfo(const char *path, struct config_place place, const char *key, const char *conninfo,
			   struct error *err)
{
	return connection_check_conninfo(conninfo, err) ||
		   error_context(err, "%s:%zu:%zu: \"%s\"", path, place.line, place.column, key);
}

static bool
check_listen(const char *path, const struct config *config, struct error *err)
{
	struct config_place place = config->http_listen_place;

	return !config->http_listen || http_check_listen(config->http_listen, err) ||
		   error_context(err, "%s:%zu:%zu: \"http.listen\"", path, place.line, place.column);
}

/* Loads the configuration and checks everything that needs no server. */
static bool
load_config(const char *path, struct config *config, struct error *err)
{
	if (!config_load(path, config, err))
		return false;
	if (check_conninfo(path, config->source.conninfo_place, "source.conninfo", config->source.conninfo,
					   err) &&
		check_conninfo(path, config->destination.conninfo_place, "destination.conninfo",
					   config->destination.conninfo, err) &&
		check_listen(path, config, err))
		return true;
	config_free(config);
	return false;
}

static bool
run_verb(const struct verb *verb, const struct command *command, struct error *err)
{
	struct config config;
	struct loop *loop;
	bool done;

	if (!verb->run)
		return verb->run_alone(command, err);
	if (!load_config(command->config_path, &config, err))
		return false;
	log_init(config.log_level, config.log_format);
	log_set_task(config.task);
	loop = loop_create();
	done = verb->run(loop, &config, command, err);
	loop_destroy(loop);
	config_free(&config);
	return done;
}

/* Prints the error as the last line on standard error and returns the exit status. */
static int
fail(const struct error *err)
{
	char sentence[SENTENCE_MAX];

	if (error_exit_status(err) == 0)
		return 0;
	error_sentence(err, sentence, sizeof sentence);
	fprintf(stderr, "sluice: %s\n", sentence);
	return error_exit_status(err);
}

static int
fail_usage(const struct verb *verb, struct error *err)
{
	if (err->hint[0])
		;
	else if (verb)
		error_hint(err, "Try \"sluice %s --help\".", verb->name);
	else
		error_hint(err, "Try \"sluice --help\".");
	return fail(err);
}

static int
main_verb(const struct verb *verb, int argc, char **argv)
{
	struct command command = {0};
	struct error err;

	error_clear(&err);
	switch (parse_arguments(verb, argc, argv, &command, &err)) {
	case PARSED_HELP:
		print_verb_help(stdout, verb);
		return 0;
	case PARSED_WRONG:
		return fail_usage(verb, &err);
	case PARSED_RUN:
		break;
	}
	return run_verb(verb, &command, &err) ? 0 : fail(&err);
}

static bool
is_one_of(const char *word, const char *a, const char *b)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/* sluice help [VERB], sluice --help */
static int
main_help(const char *name)
{
	const struct verb *verb = name ? find_verb(name) : NULL;
	struct error err;

	if (verb) {
		print_verb_help(stdout, verb);
		return 0;
	}
	if (!name) {
		print_help(stdout);
		return 0;
	}
	error_set(&err, ERROR_CONFIG, "unknown verb \"%s\"", name);
	suggest_verb(&err, name);
	return fail_usage(NULL, &err);
}

static int
main_without_verb(const char *name)
{
	struct error err;

	if (!name) {
		error_set(&err, ERROR_CONFIG, "no verb given");
	} else {
		error_set(&err, ERROR_CONFIG, "unknown %s \"%s\"", name[0] == '-' ? "option" : "verb", name);
		suggest_verb(&err, name);
	}
	return fail_usage(NULL, &err);
}

/*
 * Opens standard streams that are closed. Otherwise the next file or socket would get their descriptors
 * and receive the output.
 */
static void
open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * Detects that standard output could not be written, for instance because of a full disk or a closed pipe.
 */
static int
end_output(int status)
{
	struct error err;
	bool written = fflush(stdout) == 0 && !ferror(stdout);

	if (written || status != 0)
		return status;
	error_set(&err, ERROR_DATA, "could not write to standard output");
	return fail(&err);
}

static int
carry_out(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct verb *verb = name ? find_verb(name) : NULL;

	if (verb)
		return main_verb(verb, argc - 1, argv + 1);
	if (name && is_one_of(name, "--help", "-h"))
		return main_help(NULL);
	if (name && strcmp(name, "help") == 0)
		return main_help(argc > 2 ? argv[2] : NULL);
	if (name && is_one_of(name, "--version", "-V")) {
		puts("sluice " SLUICE_VERSION);
		return 0;
	}
	return main_without_verb(name);
}

int
main(int argc, char **argv)
{
	memory_use_one_heap();
	open_standard_streams();
	return end_output(carry_out(argc, argv));
}
