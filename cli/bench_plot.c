/*
 * bench_plot.c: a picture, drawn by gnuplot. It is run without a shell, reads its commands from a
 * file without a name and writes to the file that is open already: no name is part of a command.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ROW_PIXELS 24
#define PANEL_PIXELS 90
#define HEAD_PIXELS 60
#define WIDTH_PIXELS 900

/* Runs `gnuplot -d ARGUMENT`, which reads no settings of the user's. False if it fails. */
static bool run_gnuplot(const char *argument, int in, int out, int *number)
{
    char program[] = "gnuplot";
    char defaults[] = "-d";
    char *last = cli_copy(argument, strlen(argument));
    char *argv[] = {program, defaults, last, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid = -1;
    int status = -1;

    *number = posix_spawn_file_actions_init(&files);
    if (*number == 0) {
        if ((in >= 0 && posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) != 0) ||
            (in < 0 && posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY,
                                                        0) != 0) ||
            posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) != 0)
            *number = ENOMEM;
        else
            *number = posix_spawnp(&pid, program, &files, NULL, argv, environ);
        (void)posix_spawn_file_actions_destroy(&files);
    }
    free(last);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return *number == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool have_gnuplot(cinch_error *err)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int number = 0;
    bool ok = nowhere >= 0 && run_gnuplot("--version", -1, nowhere, &number);

    if (nowhere >= 0)
        (void)close(nowhere);
    if (ok)
        return true;
    cli_fail(err, CINCH_CAUSE_BAD_SETTING,
             "install it (Debian: apt install gnuplot-nox), or leave out --plot",
             number == ENOENT ? "gnuplot, which draws the plot, is not there"
                              : "gnuplot, which draws the plot, does not run");
    cli_fail_errno(err, number);
    return false;
}

int bench_plot_open(const char *path, bool *made, cinch_error *err)
{
    int fd;

    *made = false;
    if (!have_gnuplot(err))
        return -1;
    /* What is there stays until there is something better. */
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        int number = errno;

        cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "name another file with --plot",
                 "cannot write %s", path);
        cli_fail_errno(err, number);
    }
    return fd;
}

/* The machine's name comes from outside: nothing in it may end a text of gnuplot's. */
static void print_plain(const char *text, FILE *out)
{
    for (; *text != '\0'; text++)
        fputc((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                      (*text >= '0' && *text <= '9') || strchr(" -_.,()@/+:", *text) != NULL
                  ? *text
                  : '?',
              out);
}

static bool is_in(const bench_case *what, bool bulk)
{
    return (what->kind == BENCH_BULK) == bulk && what->run_count > 0;
}

/* The first at the top: rows are numbered from below. Gives their number. */
static int print_data(const bench_case *cases, size_t count, bool bulk, FILE *out)
{
    int rows = 0;

    fprintf(out, "$%s << EOD\n", bulk ? "bulk" : "handshakes");
    for (size_t i = count; i-- > 0;) {
        const bench_case *what = &cases[i];
        const char *version = bench_version_text(what->suite->version);
        bench_spread rate;

        if (!is_in(what, bulk))
            continue;
        rate = bench_sum_up(what, BENCH_RATE);
        fprintf(out, "%d %.6g %.6g %.6g ", rows++, rate.median, rate.lowest, rate.highest);
        if (bulk)
            fprintf(out, "\"%s %s\"\n", version, what->suite->name);
        else
            fprintf(out, "\"%s %s %s\"\n", version, what->key->title,
                    what->kind == BENCH_RESUMED ? "resumed" : "full");
    }
    fputs("EOD\n", out);
    return rows;
}

static void print_panel(bool bulk, int rows, double top, double height, FILE *out)
{
    const char *name = bulk ? "$bulk" : "$handshakes";

    fprintf(out, "set title '%s'\nset tmargin at screen %.4f\nset bmargin at screen %.4f\n",
            bulk ? "MB per second, one connection" : "handshakes per second, one after the other",
            1 - (top + ROW_PIXELS) / height,
            1 - (top + ROW_PIXELS + (double)rows * ROW_PIXELS) / height);
    fprintf(out,
            "set yrange [-0.6:%d.6]\n"
            "plot %s using (0):1:(0):2:($1-0.35):($1+0.35):ytic(5) with boxxyerror "
            "fs solid lc rgb '%s', %s using 2:1:3:4 with xerrorbars pt 0 lw 1.5 lc rgb 'black'\n",
            rows - 1, name, bulk ? "#7aa6d8" : "#8fc08f", name);
}

static void print_script(const bench_machine *machine, const bench_case *cases, size_t count,
                         FILE *out)
{
    int bulk = print_data(cases, count, true, out);
    int handshakes = print_data(cases, count, false, out);
    double height = HEAD_PIXELS + (bulk + handshakes) * ROW_PIXELS +
                    PANEL_PIXELS * ((bulk > 0) + (handshakes > 0));

    fprintf(out,
            "set terminal svg noenhanced size %d,%.0f background rgb 'white' font 'sans-serif,12'\n"
            "set multiplot title \"cinch bench: medians, with lowest and highest\\n",
            WIDTH_PIXELS, height);
    print_plain(machine->cpu, out);
    fputs(", ", out);
    print_plain(machine->openssl, out);
    fputs(", ", out);
    print_plain(machine->date, out);
    fputs("\"\nunset key\nset xrange [0:*]\nset grid x\nset lmargin at screen 0.36\n"
          "set rmargin at screen 0.96\nset border 3\nset tics nomirror\n",
          out);
    if (bulk > 0)
        print_panel(true, bulk, HEAD_PIXELS, height, out);
    if (handshakes > 0)
        print_panel(false, handshakes,
                    HEAD_PIXELS + (bulk > 0 ? bulk * ROW_PIXELS + PANEL_PIXELS : 0), height, out);
    fputs("unset multiplot\n", out);
}

/* gnuplot does not look whether it could write all of it. */
static bool is_whole(FILE *picture)
{
    char tail[16] = ""; /* its last line, and line ends */

    return fseek(picture, -(long)(sizeof(tail) - 1), SEEK_END) == 0 &&
           fread(tail, 1, sizeof(tail) - 1, picture) == sizeof(tail) - 1 &&
           strstr(tail, "</svg>") != NULL;
}

/* Takes the place of what FD has. False with `errno` set if it cannot be written. */
static bool put_picture(FILE *picture, int fd)
{
    struct stat about;
    char part[4096];
    size_t size;

    rewind(picture);
    /* Only a file has a length, not a pipe, a terminal or a device. */
    if (fstat(fd, &about) != 0 || (S_ISREG(about.st_mode) && ftruncate(fd, 0) != 0))
        return false;
    while ((size = fread(part, 1, sizeof(part), picture)) > 0) {
        for (size_t done = 0; done < size;) {
            ssize_t wrote = write(fd, part + done, size - done);

            if (wrote < 0 && errno != EINTR)
                return false;
            done += wrote > 0 ? (size_t)wrote : 0;
        }
    }
    return ferror(picture) == 0;
}

bool bench_plot_draw(int fd, const bench_machine *machine, const bench_case *cases, size_t count,
                     cinch_error *err)
{
    FILE *script = tmpfile();
    FILE *picture = tmpfile();
    int number = 0;
    bool ok = script != NULL && picture != NULL;

    if (ok) {
        print_script(machine, cases, count, script);
        ok = fflush(script) == 0 && lseek(fileno(script), 0, SEEK_SET) == 0;
    }
    if (!ok)
        number = errno;
    ok = ok && run_gnuplot("-", fileno(script), fileno(picture), &number) && is_whole(picture);
    if (ok && !put_picture(picture, fd)) {
        number = errno;
        ok = false;
    }
    if (script != NULL)
        (void)fclose(script);
    if (picture != NULL)
        (void)fclose(picture);
    if (ok)
        return true;
    cli_fail(err, CINCH_CAUSE_SYSTEM, "see what gnuplot says, and whether the disk is full",
             "the plot could not be drawn");
    if (number != 0)
        cli_fail_errno(err, number);
    return false;
}
