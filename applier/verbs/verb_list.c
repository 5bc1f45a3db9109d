/*
 * `sluice list`: the tasks of a directory of configurations, one line each.
 *
 * Each task's status is gathered by a child process, as `sluice status` does it, so that tasks whose servers do not
 * answer delay no other task. The child writes the task's line, or its fields, to a pipe.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/printable.h"
#include "status.h"
#include "verbs.h"

/* So many tasks are asked at the same time. */
#define LIST_PARALLEL 16

enum { FIELD_TASK, FIELD_PHASE, FIELD_LAG, FIELD_TABLES, FIELD_ERROR, FIELD_COUNT };

/* Between the fields of a child's answer; control characters in texts are replaced. */
#define FIELD_END '\x1f'

struct entry {
	char *path;
	pid_t child;
	int pipe;
	struct buffer answer;
	bool well; /* the status was found, and is none that a person has to look at */
};

/* ---- in the child */

static void
put_field(struct buffer *out, const char *text)
{
	for (; *text; text++)
		buffer_put_u8(out, (uint8_t) (*text > 0 && *text < ' ' ? ' ' : *text));
	buffer_put_u8(out, FIELD_END);
}

/* The name of the file without the directory and the ending. */
static void
put_file_name(struct buffer *out, const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	buffer_printf(out, "%.*s", (int) (strlen(name) - strlen(".yaml")), name);
}

static void
put_tables(struct buffer *out, const struct status *status)
{
	unsigned held = status_count(status, "held");

	buffer_printf(out, "%u", status->report.table_count);
	if (held > 0)
		buffer_printf(out, ", %u held", held);
}

static const char *
error_of(const struct status *status)
{
	if (!status->source_known)
		return status->source_error;
	return status->view.last_error ? status->view.last_error : "";
}

static void
put_fields(struct buffer *out, const struct status *status)
{
	buffer_printf(out, "%s%c%s", status->view.task, FIELD_END, status->view.phase);
	status_put_since(out, &status->view, status->view.phase_since);
	buffer_put_u8(out, FIELD_END);
	status_put_lag(out, status);
	buffer_put_u8(out, FIELD_END);
	put_tables(out, status);
	buffer_put_u8(out, FIELD_END);
	put_field(out, error_of(status));
}

static bool
is_well(const struct status *status)
{
	return status->source_known && status_count(status, "held") == 0 &&
		   strcmp(status->view.phase, "failed") != 0 && strcmp(status->view.phase, "retrying") != 0;
}

/* `status` is NULL if it is not known, for the reason in `err`. */
static void
put_json(struct buffer *out, const char *path, const struct status *status, const struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	buffer_printf(out, "{\"file\":");
	json_string(out, path);
	buffer_printf(out, ",\"error\":");
	if (status) {
		buffer_printf(out, "null,\"status\":");
		status_view_put_json(&status->view, out);
		while (out->len > 0 && out->data[out->len - 1] == '\n')
			out->len--;
		buffer_printf(out, "}\n");
		return;
	}
	error_sentence(err, sentence, sizeof sentence);
	json_string(out, sentence);
	buffer_printf(out, ",\"status\":null}\n");
}

static void
put_failure(struct buffer *out, const char *path, const char *task, const char *phase,
			const struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	error_sentence(err, sentence, sizeof sentence);
	if (task)
		buffer_printf(out, "%s", task);
	else
		put_file_name(out, path);
	buffer_printf(out, "%c%s%c%c%c", FIELD_END, phase, FIELD_END, FIELD_END, FIELD_END);
	put_field(out, sentence);
}

/* Returns whether the status is well. */
static bool
answer(const char *path, bool json, struct buffer *out)
{
	struct status status;
	struct config config;
	struct error err;
	struct loop *loop;
	bool known, well;

	error_clear(&err);
	if (!config_load(path, &config, &err)) {
		if (json)
			put_json(out, path, NULL, &err);
		else
			put_failure(out, path, NULL, "wrong configuration", &err);
		return false;
	}
	loop = loop_create();
	known = status_gather(loop, &config, &status, &err);
	well = known && is_well(&status);
	if (json)
		put_json(out, path, known ? &status : NULL, &err);
	else if (known)
		put_fields(out, &status);
	else
		put_failure(out, path, config.task, status.daemon_known ? status.view.phase : "unknown", &err);
	status_free(&status);
	loop_destroy(loop);
	config_free(&config);
	return well;
}

static void
write_all(int fd, const struct buffer *out)
{
	for (size_t done = 0; done < out->len;) {
		ssize_t written = write(fd, out->data + done, out->len - done);

		if (written < 0 && errno != EINTR)
			return;
		done += written > 0 ? (size_t) written : 0;
	}
}

/* ---- in the parent */

static bool
start(struct entry *entry, bool json, struct error *err)
{
	int ends[2];

	fflush(stdout);
	if (pipe(ends) != 0)
		return error_set(err, ERROR_DATA, "no pipe for %s: %s", entry->path, strerror(errno));
	entry->child = fork();
	if (entry->child < 0) {
		close(ends[0]);
		close(ends[1]);
		return error_set(err, ERROR_DATA, "no process for %s: %s", entry->path, strerror(errno));
	}
	if (entry->child == 0) {
		struct buffer out;
		bool well;

		close(ends[0]);
		memory_buffer_init(&out);
		well = answer(entry->path, json, &out);
		write_all(ends[1], &out);
		_exit(well ? 0 : 1);
	}
	close(ends[1]);
	entry->pipe = ends[0];
	return true;
}

static void
finish(struct entry *entry)
{
	char piece[4096];
	ssize_t got;
	int status;

	while ((got = read(entry->pipe, piece, sizeof piece)) != 0)
		if (got > 0)
			buffer_put(&entry->answer, piece, (size_t) got);
		else if (errno != EINTR)
			break;
	close(entry->pipe);
	while (waitpid(entry->child, &status, 0) < 0 && errno == EINTR)
		;
	entry->well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
is_configuration(const struct dirent *file)
{
	size_t len = strlen(file->d_name);

	return len > strlen(".yaml") && file->d_name[0] != '.' &&
		   strcmp(file->d_name + len - strlen(".yaml"), ".yaml") == 0;
}

static bool
find_entries(const char *folder, struct entry **entries, unsigned *count, struct error *err)
{
	struct dirent **files;
	int found = scandir(folder, &files, is_configuration, alphasort);

	if (found < 0)
		return error_set(err, ERROR_CONFIG, "cannot read the directory %s: %s", folder, strerror(errno));
	*count = (unsigned) found;
	*entries = memory_alloc_zero(*count + 1, sizeof **entries);
	for (unsigned i = 0; i < *count; i++) {
		struct entry *entry = &(*entries)[i];
		size_t size = strlen(folder) + strlen(files[i]->d_name) + 2;

		entry->path = memory_alloc_zero(1, size);
		snprintf(entry->path, size, "%s/%s", folder, files[i]->d_name);
		memory_buffer_init(&entry->answer);
		free(files[i]);
	}
	free(files);
	return true;
}

static bool
ask_all(struct entry *entries, unsigned count, bool json, struct error *err)
{
	unsigned started = 0;
	bool ok = true;

	for (unsigned i = 0; i < count && (ok || i < started); i++) {
		for (; ok && started < count && started < i + LIST_PARALLEL; started += ok)
			ok = start(&entries[started], json, err);
		if (i < started)
			finish(&entries[i]);
	}
	return ok;
}

/* Points to the fields of an answer, which it cuts apart; a child that crashed has left some out. */
static void
cut(struct entry *entry, char *fields[FIELD_COUNT])
{
	char *next;

	buffer_put_u8(&entry->answer, '\0');
	next = (char *) entry->answer.data;
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		fields[i] = next;
		next += strcspn(next, "\x1f");
		if (*next)
			*next++ = '\0';
	}
}

static void
print_text(struct entry *entries, unsigned count)
{
	static const char *const titles[FIELD_COUNT] = {"task", "phase", "lag", "tables", "error"};
	char *(*rows)[FIELD_COUNT] = memory_alloc_zero(count, sizeof *rows);
	int widths[FIELD_COUNT];
	struct buffer out;

	memory_buffer_init(&out);
	for (unsigned f = 0; f < FIELD_COUNT; f++)
		widths[f] = status_width(titles[f]);
	for (unsigned i = 0; i < count; i++) {
		cut(&entries[i], rows[i]);
		for (unsigned f = 0; f < FIELD_COUNT; f++)
			if (status_width(rows[i][f]) > widths[f])
				widths[f] = status_width(rows[i][f]);
	}
	for (unsigned i = 0; i <= count; i++) {
		for (unsigned f = 0; f < FIELD_ERROR; f++)
			status_put_padded(&out, i == 0 ? titles[f] : rows[i - 1][f], widths[f]);
		buffer_printf(&out, "%s\n", i == 0 ? titles[FIELD_ERROR] : rows[i - 1][FIELD_ERROR]);
	}
	printable_write(stdout, (const char *) out.data, out.len);
	buffer_fini(&out);
	free(rows);
}

static void
print(struct entry *entries, unsigned count, bool json)
{
	if (!json) {
		print_text(entries, count);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		fwrite(entries[i].answer.data, 1, entries[i].answer.len, stdout);
}

bool
verb_list(const struct command *command, struct error *err)
{
	const char *folder = command->file ? command->file : "/etc/sluice";
	struct entry *entries = NULL;
	unsigned count = 0, unwell = 0;
	bool ok;

	log_init(LOG_ERROR, LOG_TEXT);
	if (!find_entries(folder, &entries, &count, err))
		return false;
	ok = count > 0
			 ? ask_all(entries, count, command->json, err)
			 : error_set(err, ERROR_CONFIG,
						 "the directory %s holds no configuration: no file's name ends with .yaml", folder);
	if (ok)
		print(entries, count, command->json);
	for (unsigned i = 0; i < count; i++) {
		unwell += !entries[i].well;
		buffer_fini(&entries[i].answer);
		free(entries[i].path);
	}
	free(entries);
	if (!ok || unwell == 0)
		return ok;
	return error_set(err, ERROR_DATA, "%u of %u task%s need attention", unwell, count, plural(count));
}
