/* data/survey/manifest.c - journals of ranks, merged into SQLite, written out as csv.
 * Journal: path, state, tries, bytes, reason with tabs between them; tabs and line ends within are
 * made blanks.  A line without an end was cut by a kill and is passed over. */
#include "data/survey/manifest.h"
#include "core/log.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/out_file.h"
#include "core/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE = ORR_PATH_MAX + 512, COLUMNS = 5 };
static const char *const states[] = { "unknown", "done", "missing", "failed" };

struct orr_manifest {
    sqlite3 *db;
    sqlite3_stmt *find;
    int journal;
    char journal_path[ORR_PATH_MAX], db_path[ORR_PATH_MAX];
};

static orr_status fail_errno(const char *path, const char *what)
{
    return orr_fail(ORR_ERR_IO, "%s: %s: %s", path, what, strerror(errno));
}

static orr_status fail_sqlite(sqlite3 *db, const char *path)
{
    int code = sqlite3_errcode(db);

    if (code == SQLITE_NOMEM) return orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR)
        return orr_fail(
            ORR_ERR_FORMAT,
            "%s: not what it was written as (%s); remove it and start again: frames stay", path,
            sqlite3_errmsg(db));
    return orr_fail(ORR_ERR_IO, "%s: %s", path, sqlite3_errmsg(db));
}

orr_status orr_manifest_path(char out[ORR_PATH_MAX], const char *folder, const char *name)
{
    char dir[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(dir, folder, ".orrery"));
    if (!orr_path_is_dir(dir)) ORR_TRY(orr_make_dirs(dir));
    return orr_path_join(out, dir, name);
}

orr_status orr_manifest_lock(orr_lock *lock, const char *folder)
{
    char path[ORR_PATH_MAX];
    orr_status st;

    *lock = (orr_lock)ORR_LOCK_INIT;
    ORR_TRY(orr_manifest_path(path, folder, "lock"));
    st = orr_lock_take(lock, path, &(orr_lock_opts){ .kind = ORR_LOCK_FILE });
    if (st != ORR_ERR_EXISTS) return st;
    return orr_fail(ORR_ERR_EXISTS, "%s: another orrery job is at work in this folder; wait for it",
                    folder);
}

/* ---- the SQLite file ---- */
/* Without SQLite's own locks, which some cluster file systems do not have: the job keeps order. */
static orr_status open_db(sqlite3 **db, const char *path, int flags)
{
    if (sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, "unix-none") == SQLITE_OK)
        return ORR_OK;
    return *db ? fail_sqlite(*db, path) : orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
}

static orr_status execute(sqlite3 *db, const char *path, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return ORR_OK;
    return fail_sqlite(db, path);
}

static void bind_text(sqlite3_stmt *s, int i, const char *text)
{
    sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

/* ---- merge ---- */
typedef struct merger {
    const char *folder;
    char path[ORR_PATH_MAX]; /* of the SQLite file */
    sqlite3 *db;
    sqlite3_stmt *put;
    int64_t lines;
} merger;

/* Cuts a line at its tabs; 0 unless there are five columns and an end. */
static int cut_line(char *line, char *columns[COLUMNS])
{
    char *end = strchr(line, '\n');

    if (!end) return 0;
    *end = '\0';
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = line;
        line = strchr(line, '\t');
        if (i == COLUMNS - 1) return line == NULL;
        if (!line) return 0;
        *line++ = '\0';
    }
    return 0;
}

static orr_status put_line(merger *m, char *line)
{
    char *c[COLUMNS];
    int64_t tries, bytes;
    int known = 0;

    if (!cut_line(line, c)) return ORR_OK;
    for (int i = ORR_FRAME_DONE; i <= ORR_FRAME_FAILED; i++)
        known |= strcmp(c[1], states[i]) == 0;
    if (!known || orr_parse_int64(&tries, c[2]) != ORR_OK ||
        orr_parse_int64(&bytes, c[3]) != ORR_OK) {
        orr_error_clear();
        return ORR_OK;
    }
    bind_text(m->put, 1, c[0]);
    bind_text(m->put, 2, c[1]);
    sqlite3_bind_int64(m->put, 3, tries);
    sqlite3_bind_int64(m->put, 4, bytes);
    bind_text(m->put, 5, c[4]);
    if (sqlite3_step(m->put) != SQLITE_DONE) return fail_sqlite(m->db, m->path);
    sqlite3_reset(m->put);
    m->lines++;
    return ORR_OK;
}

static orr_status put_journal(merger *m, const char *path)
{
    char *line = orr_alloc(LINE, 1);
    FILE *f = line ? fopen(path, "r") : NULL;
    orr_status st = ORR_OK;

    if (!line)
        st = orr_fail(ORR_ERR_NOMEM, "out of memory: %s", path);
    else if (!f)
        st = fail_errno(path, "cannot open");
    while (st == ORR_OK && fgets(line, LINE, f))
        st = put_line(m, line);
    if (st == ORR_OK && ferror(f)) st = fail_errno(path, "cannot read");
    if (f) fclose(f);
    orr_free(line);
    return st;
}

/* Calls back for each journal there is. */
static orr_status each_journal(merger *m, orr_status (*call)(merger *m, const char *path))
{
    char dir[ORR_PATH_MAX], path[ORR_PATH_MAX];
    orr_status st = ORR_OK;
    struct dirent *e;
    DIR *d;

    ORR_TRY(orr_path_join(dir, m->folder, ".orrery"));
    if (!(d = opendir(dir))) return fail_errno(dir, "cannot open the folder");
    while (st == ORR_OK && (e = readdir(d))) {
        size_t n = strlen(e->d_name);

        if (strncmp(e->d_name, "journal-", 8) != 0 || n < 12 ||
            strcmp(e->d_name + n - 4, ".tsv") != 0)
            continue;
        st = orr_path_join(path, dir, e->d_name);
        if (st == ORR_OK) st = call(m, path);
    }
    closedir(d);
    return st;
}

static orr_status remove_journal(merger *m, const char *path)
{
    (void)m;
    return unlink(path) == 0 || errno == ENOENT ? ORR_OK : fail_errno(path, "cannot remove");
}

/* "" where there is none: memory ran out, or it is NULL in a file of somebody else's. */
static const char *column_text(sqlite3_stmt *s, int i)
{
    const unsigned char *text = sqlite3_column_text(s, i);

    return text ? (const char *)text : "";
}

static orr_status write_rows(merger *m, FILE *f)
{
    sqlite3_stmt *s = NULL;
    int code;

    if (sqlite3_prepare_v2(m->db,
                           "SELECT path, state, tries, bytes, reason FROM frames ORDER BY path", -1,
                           &s, NULL) != SQLITE_OK)
        return fail_sqlite(m->db, m->path);
    fputs("path,state,tries,bytes,reason\n", f);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
        orr_csv_put(f, column_text(s, 0));
        fprintf(f, ",%s,%lld,%lld,", column_text(s, 1), (long long)sqlite3_column_int64(s, 2),
                (long long)sqlite3_column_int64(s, 3));
        orr_csv_put(f, column_text(s, 4));
        fputc('\n', f);
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? ORR_OK : fail_sqlite(m->db, m->path);
}

static orr_status write_csv(merger *m, const char *path)
{
    orr_out_file out;

    ORR_TRY(orr_out_file_open(&out, path));
    return orr_out_file_close(&out, write_rows(m, out.f));
}

static orr_status merge(merger *m)
{
    char csv[ORR_PATH_MAX];

    ORR_TRY(orr_path_join(csv, m->folder, "manifest.csv"));
    ORR_TRY(open_db(&m->db, m->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
    ORR_TRY(
        execute(m->db, m->path,
                "CREATE TABLE IF NOT EXISTS frames (path TEXT PRIMARY KEY, state TEXT NOT NULL, "
                "tries INTEGER NOT NULL, bytes INTEGER NOT NULL, reason TEXT NOT NULL) "
                "WITHOUT ROWID; BEGIN"));
    if (sqlite3_prepare_v2(m->db, "INSERT OR REPLACE INTO frames VALUES (?, ?, ?, ?, ?)", -1,
                           &m->put, NULL) != SQLITE_OK)
        return fail_sqlite(m->db, m->path);
    ORR_TRY(each_journal(m, put_journal));
    ORR_TRY(execute(m->db, m->path, "COMMIT"));
    if (m->lines > 0 || !orr_path_exists(csv)) ORR_TRY(write_csv(m, csv));
    return each_journal(m, remove_journal); /* what is in them is safe */
}

orr_status orr_manifest_merge(const char *folder)
{
    merger *m = orr_alloc(1, sizeof *m);
    orr_status st;

    if (!m) return orr_fail(ORR_ERR_NOMEM, "out of memory: manifest");
    m->folder = folder;
    st = orr_manifest_path(m->path, folder, "manifest.sqlite");
    if (st == ORR_OK) st = merge(m);
    sqlite3_finalize(m->put);
    sqlite3_close(m->db);
    orr_free(m);
    return st;
}

/* ---- a rank's handle ---- */
static orr_status open_all(orr_manifest *m, const char *folder, int rank)
{
    char name[64];

    snprintf(name, sizeof name, "journal-%05d.tsv", rank);
    ORR_TRY(orr_manifest_path(m->journal_path, folder, name));
    ORR_TRY(orr_manifest_path(m->db_path, folder, "manifest.sqlite"));
    m->journal = open(m->journal_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (m->journal < 0) return fail_errno(m->journal_path, "cannot create");
    ORR_TRY(open_db(&m->db, m->db_path, SQLITE_OPEN_READONLY));
    if (sqlite3_prepare_v2(m->db, "SELECT state, tries, bytes, reason FROM frames WHERE path = ?",
                           -1, &m->find, NULL) != SQLITE_OK)
        return fail_sqlite(m->db, m->db_path);
    return ORR_OK;
}

orr_status orr_manifest_open(orr_manifest **out, const char *folder, int rank)
{
    orr_manifest *m = orr_alloc(1, sizeof *m);
    orr_status st;

    *out = NULL;
    if (!m) return orr_fail(ORR_ERR_NOMEM, "out of memory: manifest");
    m->journal = -1;
    st = open_all(m, folder, rank);
    if (st == ORR_OK)
        *out = m;
    else
        orr_manifest_close(m);
    return st;
}

void orr_manifest_close(orr_manifest *m)
{
    if (!m) return;
    sqlite3_finalize(m->find);
    sqlite3_close(m->db);
    if (m->journal >= 0) close(m->journal);
    orr_free(m);
}

static void copy_text(char *out, size_t bytes, const char *text)
{
    size_t n = strnlen(text, bytes - 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    out[n] = '\0';
}

orr_status orr_manifest_find(orr_manifest *m, const char *path, orr_frame_note *out)
{
    int code;

    *out = (orr_frame_note){ .state = ORR_FRAME_UNKNOWN };
    sqlite3_reset(m->find); /* also after one that failed */
    bind_text(m->find, 1, path);
    code = sqlite3_step(m->find);
    if (code == SQLITE_ROW) {
        const char *state = column_text(m->find, 0);

        for (int i = ORR_FRAME_DONE; i <= ORR_FRAME_FAILED; i++)
            if (strcmp(state, states[i]) == 0) out->state = (orr_frame_state)i;
        out->tries = sqlite3_column_int64(m->find, 1);
        out->bytes = sqlite3_column_int64(m->find, 2);
        copy_text(out->reason, sizeof out->reason, column_text(m->find, 3));
    } else if (code != SQLITE_DONE) {
        return fail_sqlite(m->db, m->db_path);
    }
    sqlite3_reset(m->find);
    return ORR_OK;
}

orr_status orr_manifest_note(orr_manifest *m, const char *path, const orr_frame_note *note)
{
    char line[LINE], reason[sizeof note->reason];
    ssize_t written;
    int n;

    copy_text(reason, sizeof reason, note->reason);
    n = snprintf(line, sizeof line, "%s\t%s\t%lld\t%lld\t%s\n", path, states[note->state],
                 (long long)note->tries, (long long)note->bytes, reason);
    if (n < 0 || n >= LINE || strpbrk(path, "\t\n"))
        return orr_fail(ORR_ERR_ARG, "%.80s: a path that the manifest cannot hold", path);
    written = write(m->journal, line, (size_t)n);
    if (written < 0) return fail_errno(m->journal_path, "cannot write");
    if (written == n) return ORR_OK;
    return orr_fail(ORR_ERR_IO, "%s: only %zd of %d bytes could be written", m->journal_path,
                    written, n);
}
